import type { Channel } from '../channels/channel.js';
import type { SharedText } from '../protocol/event-stream.js';
import type { NamedPosition } from '../protocol/position.js';

/**
 * A seam: something that may stand for a channel's log up to a position, as a snapshot does (snapshots/channel-snapshots.ts). A client gets it where
 * the log cannot serve it: at its start without a position, after a gap, and after a new log.
 */
export interface Prefaces {
  /** A preface for one cursor; undefined where the channel has none. */
  of(channel: Channel): Preface | undefined;
}

/** Injection token of the seam. */
export const Prefaces = Symbol('Prefaces');

/** A preface that one cursor owes to its client. */
export interface Preface {
  /** Resolves when there is one to take. */
  prepare(): Promise<void>;
  /** The preface, if it is ready. Otherwise it is made, and one of the two functions of the call that began that is called then. */
  take(prepared: () => void, failed: (error: unknown) => void): ReadyPreface | undefined;
}

/** A preface that is ready to be sent. */
export interface ReadyPreface {
  /** The position that it stands for. */
  readonly upTo: NamedPosition;
  /**
   * Whether the log has held everything after `upTo` at some time since the preface was asked for. If it does
   * not hold that now, it has moved on.
   */
  readonly wasInLog: boolean;
  /** @param id names the position that it takes its client to; undefined where there is none to tell */
  text(id: string | undefined): SharedText;
}
