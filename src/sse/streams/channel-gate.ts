import type { StreamReader } from './stream-reader.js';

/** Decides which channels a client may stream: the seam for authorisation. Asked once per channel, never per event. */
export interface ChannelGate {
  /**
   * Asks whether a reader may have a channel.
   *
   * @param decided is called later. It is a callback and no Promise, so that a grant acts before the channel can be
   * taken away again
   * @returns false where nobody is to be asked: the channel is open, and `decided` is never called
   */
  ask(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): boolean;
  /** The client does not get a channel that it still waits for. */
  denied(channel: string): void;
}
