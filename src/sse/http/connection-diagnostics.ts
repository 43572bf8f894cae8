import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import * as told from '../diagnostics/diagnostics.js';
import type { EndReason, OfChannel, OfConnection, RefusingLimit } from '../diagnostics/messages.js';
import type { Gap } from '../log/sse-event.js';
import type { ConnectionHandle } from './connection-part.js';
import type { SseConnection } from './sse-connection.js';

/** Tells listeners in this process what becomes of responses (diagnostics/diagnostics.ts). */
export class ConnectionDiagnostics {
  constructor(
    private readonly hub: string,
    private readonly definitions: ChannelDefinitions,
  ) {}

  began(connection: SseConnection): void {
    if (told.connectionBegan.hasSubscribers) told.connectionBegan.publish(this.#of(connection));
  }

  opened(connection: SseConnection): void {
    if (!told.connectionOpened.hasSubscribers) return;
    const isResumed = connection.lastEventId.kind !== 'none';
    told.connectionOpened.publish({ ...this.#of(connection), duration: ageOf(connection), isResumed });
  }

  ended(connection: SseConnection, reason: EndReason): void {
    if (!told.connectionEnded.hasSubscribers) return;
    told.connectionEnded.publish({ ...this.#of(connection), reason, duration: ageOf(connection) });
  }

  refused(path: string, limit: RefusingLimit): void {
    if (told.connectionRefused.hasSubscribers) told.connectionRefused.publish({ hub: this.hub, limit, path });
  }

  backedUp(connection: SseConnection): void {
    if (told.connectionBackedUp.hasSubscribers) told.connectionBackedUp.publish(this.#of(connection));
  }

  streamBegan(connection: SseConnection, channel: string): void {
    if (told.streamBegan.hasSubscribers) told.streamBegan.publish(this.#ofStream(connection, channel));
  }

  streamEnded(connection: SseConnection, channel: string): void {
    if (told.streamEnded.hasSubscribers) told.streamEnded.publish(this.#ofStream(connection, channel));
  }

  gap(connection: SseConnection, { channel, reason, requested }: Gap): void {
    if (told.streamGap.hasSubscribers)
      told.streamGap.publish({ ...this.#ofStream(connection, channel), reason, requested });
  }

  denied(connection: ConnectionHandle, channel: string, reason: string): void {
    if (told.streamDenied.hasSubscribers)
      told.streamDenied.publish({ ...this.#ofStream(connection, channel), reason });
  }

  #of(connection: ConnectionHandle): OfConnection {
    return { hub: this.hub, connection };
  }

  #ofStream(connection: ConnectionHandle, channel: string): OfConnection & OfChannel {
    return { hub: this.hub, connection, channel, definition: this.definitions.patternOf(channel) };
  }
}

const ageOf = ({ beganAt }: SseConnection): number => performance.now() - beganAt;
