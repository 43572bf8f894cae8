import { Injectable, type HttpException } from '@nestjs/common';
import type { ChannelGate } from '../streams/channel-gate.js';
import type { Cursor } from '../streams/cursor.js';
import type { SseConnection } from './sse-connection.js';

/** A connection as features see it. */
export type ConnectionHandle = Pick<
  SseConnection,
  | 'id'
  | 'identity'
  | 'request'
  | 'reader'
  | 'beganAt'
  | 'isOpen'
  | 'isClosed'
  | 'info'
  | 'denied'
  | 'tell'
  | 'tellText'
  | 'end'
>;

/**
 * A feature's part in one connection: the seam by which access control and the endpoint take part in a response. It is
 * made when it is known who the connection belongs to, before the method of the route runs. It is not called for each
 * event, except `foreignValue()` for values from elsewhere.
 */
export interface ConnectionPart {
  /** Decides which channels the client gets. One part of a connection has a gate, at most. */
  readonly gate?: ChannelGate;
  /** Somebody is being asked whether the client may stream this channel. */
  isDeciding?(channel: string): boolean;
  /**
   * An HTTP answer in place of the stream, asked for when the head is due. If Nest has sent the head, it ends the
   * stream as an error event. `null` for a stream that goes on whatever the parts after this one say.
   */
  refusal?(): HttpException | null | undefined;
  /** Events that the client gets before those of its channels. Where there are some, the answer is never 204. */
  firstEvents?(): string;
  /** The positions of channels that were entered are known, and nothing of these was handed on yet. */
  positionsKnown?(): void;
  /** The connection streams a channel of its own from now on. */
  began?(channel: string): void;
  /**
   * A value comes by a cursor of another reader: its stream is shared, or was subscribed to outside of any request.
   *
   * @throws HttpException that ends the stream in place of the value
   */
  foreignValue?(cursor: Cursor): void;
  /** The response is over. */
  closed?(): void;
}

/** Makes the part of a feature in a connection; undefined where it has none. */
export type PartFactory = (connection: ConnectionHandle) => ConnectionPart | undefined;

/**
 * A feature that wants to know which clients of this process stream which channels. It is told in the turn in which
 * that happens, and never throws.
 */
export interface StreamObserver {
  /** A client may stream a channel, and its position there is known. Once for each channel of a connection. */
  began(channel: string, connection: ConnectionHandle): void;
  /** The client has left the channel, or lost it, or the channel has completed, or the client has gone. */
  ended(channel: string, connection: ConnectionHandle): void;
  /** The client was told of a gap in a channel that it streams. */
  missed?(channel: string, connection: ConnectionHandle): void;
}

// Shared: most connections have no parts, and an array for each would cost memory.
export const NO_PARTS: readonly ConnectionPart[] = [];

/** The features that take part in the connections of this application: fixed once the application has started. */
@Injectable()
export class ConnectionFeatures implements StreamObserver {
  readonly #factories: PartFactory[] = [];
  readonly #observers: StreamObserver[] = [];

  plugIn(factory: PartFactory): void {
    this.#factories.push(factory);
  }

  observe(observer: StreamObserver): void {
    this.#observers.push(observer);
  }

  partsOf(connection: ConnectionHandle): readonly ConnectionPart[] {
    let parts = NO_PARTS;
    for (const make of this.#factories) parts = parts.concat(make(connection) ?? []);
    return parts;
  }

  began(channel: string, connection: ConnectionHandle): void {
    for (const observer of this.#observers) observer.began(channel, connection);
  }

  ended(channel: string, connection: ConnectionHandle): void {
    for (const observer of this.#observers) observer.ended(channel, connection);
  }

  missed(channel: string, connection: ConnectionHandle): void {
    for (const observer of this.#observers) observer.missed?.(channel, connection);
  }
}
