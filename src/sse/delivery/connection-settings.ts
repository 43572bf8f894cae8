import type { Channels } from '../hub/channels.js';
import type { Connections } from '../hub/connections.js';
import type { SlowPolicy } from '../sse.options.js';
import type { Heartbeat } from './heartbeat.js';

/** What holds for one response. */
export interface ConnectionSettings {
  readonly heartbeat: number;
  readonly retry: number;
  readonly queuedBytes: number;
  /** Milliseconds in which events are gathered for one write. */
  readonly coalesce: number;
  readonly maxChannels: number;
  /** Milliseconds that a client has to take the last bytes when its stream is ended. */
  readonly grace: number;
  readonly slow: SlowPolicy | undefined;
  /** Whether events without an id are numbered as Nest does, where no stream of the hub is involved. */
  readonly numbered: boolean;
  /** What is done with the client if its channel cannot be opened because there are too many. */
  readonly turnAway: () => void;
}

/** What all connections share. */
export interface ConnectionServices {
  readonly channels: Channels;
  readonly connections: Connections;
  readonly heartbeat: Heartbeat;
}
