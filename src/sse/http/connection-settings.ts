import type { Access } from '../access/access.js';
import type { Channels } from '../channels/channels.js';
import type { Connections } from './connections.js';
import type { StreamObserver } from './stream-observer.js';
import type { Streams } from '../streams/streams.js';
import { SseError, type SseErrorCode } from '../sse.errors.js';
import type { SlowPolicy } from '../sse.options.js';
import type { Admission } from './admission.js';
import type { PlainStream } from './sse-route.metadata.js';
import type { Heartbeat } from './heartbeat.js';

/** What holds for the responses of one route. */
export interface ConnectionSettings {
  readonly heartbeat: number;
  readonly retry: number;
  readonly queuedBytes: number;
  /** Milliseconds in which events are gathered for one write. */
  readonly coalesce: number;
  /** Milliseconds that a client has to take the last bytes when its stream is ended. */
  readonly grace: number;
  readonly slow: SlowPolicy | undefined;
  /** Whether events without an id are numbered as Nest does, where no stream of the hub is involved. */
  readonly numbered: boolean;
  /** Whether its client takes every event for one of the application's. */
  readonly plain: PlainStream | boolean;
}

const RETURNABLE: ReadonlySet<SseErrorCode> = new Set(['HUB_FULL', 'BACKPLANE_AWAY']);

/** Whether an error may be over when the client comes back; an EventSource that gets an error status never does. */
export const isOverLater = (error: unknown): boolean =>
  error instanceof SseError && RETURNABLE.has(error.code);

/** What all connections share. */
export interface ConnectionServices {
  readonly channels: Channels;
  readonly streams: Streams;
  readonly connections: Connections;
  readonly heartbeat: Heartbeat;
  readonly access: Access;
  readonly observers: StreamObserver;
  readonly admission: Admission;
}
