import type { StreamPosition } from '../connection-details.js';
import { listenTo } from '../diagnostics/listen.js';
import type {
  EndReason,
  ObservedConnection,
  OfChannel,
  Publishing,
  SseDiagnostics,
} from '../diagnostics/messages.js';
import { SseError } from '../sse.errors.js';
import { Bounded } from './bounded.js';
import type { InspectorSettings } from './inspector.options.js';

/** A connection, as it is remembered and told to other instances. Times are milliseconds since 1970. */
export interface Who {
  readonly id: string;
  readonly user: string | undefined;
  readonly path: string;
  readonly address: string | undefined;
  readonly since: number;
}

/** A connection has ended, or has left one of its channels. */
export interface Ended {
  readonly kind: 'ended';
  readonly at: number;
  readonly who: Who;
  /** `left`: it went on without the channel. */
  readonly reason: EndReason | 'left';
  readonly positions: readonly StreamPosition[];
}

export interface GapTold {
  readonly kind: 'gap';
  readonly at: number;
  readonly who: Who;
  readonly channel: string;
  readonly reason: string;
  readonly requested: string;
  readonly oldest: string | null;
  readonly latest: string;
}

export interface Denied {
  readonly kind: 'denied';
  readonly at: number;
  readonly who: Who;
  readonly channel: string;
  readonly reason: string;
}

export interface Published {
  readonly kind: 'published';
  readonly at: number;
  readonly channel: string;
  readonly id: string;
  readonly type: string | undefined;
  readonly bytes: number | undefined;
  /** The code or the message of the error, where it was not stored. */
  readonly error: string | undefined;
}

export interface Cleared {
  readonly kind: 'purged' | 'completed';
  readonly at: number;
  readonly channel: string;
}

/** What an operator looks at first: it explains most questions. */
export type Notable = Ended | GapTold | Denied;

/** Ends of connections that are nobody's trouble. */
const ORDINARY: ReadonlySet<Ended['reason']> = new Set(['client', 'completed', 'left', 'shutdown']);

/**
 * What has happened on this instance in the last minutes, as far as the stated memory reaches: publishes, ends of
 * connections with their positions, gaps and denials. Nothing is kept per delivery. Each kind has a share of the memory
 * of its own, so that a flood of one does not push out another.
 */
export class Recent {
  readonly published: Bounded<Published>;
  readonly ended: Bounded<Ended>;
  readonly gaps: Bounded<GapTold>;
  readonly denied: Bounded<Denied>;
  readonly cleared: Bounded<Cleared>;
  /** Since when it remembers. */
  readonly since = Date.now();
  readonly #stop: () => void;
  /** The connection that is ending at this moment: its channels end with it. */
  #ending: ObservedConnection | undefined;

  /** @param isShown whether a connection is anybody's but the inspector's own */
  constructor(
    hub: string,
    { bytes, age }: InspectorSettings['memory'],
    isShown: (one: ObservedConnection) => boolean,
  ) {
    const share = (part: number): { bytes: number; age: number } => ({ bytes: bytes * part, age });
    this.published = new Bounded(share(0.4), sizeOfPublished);
    this.ended = new Bounded(share(0.3), sizeOfEnded);
    this.gaps = new Bounded<GapTold>(share(0.15), sizeOfGap);
    this.denied = new Bounded<Denied>(share(0.1), sizeOfDenied);
    this.cleared = new Bounded(share(0.05), ({ channel }) => RECORD + 2 * channel.length);
    this.#stop = listenTo(
      {
        'publish:asyncEnd': (message) => this.published.add(publishedOf(message)),
        'connection:ended': ({ connection, reason }) => {
          if (!isShown(connection)) return;
          this.#ending = connection;
          const { positions } = connection;
          this.ended.add({ kind: 'ended', at: Date.now(), who: whoIs(connection), reason, positions });
        },
        'stream:ended': ({ connection, channel }) => {
          if (connection === this.#ending || !isShown(connection)) return;
          const positions = connection.positions.filter((position) => position.channel === channel);
          this.ended.add({
            kind: 'ended',
            at: Date.now(),
            who: whoIs(connection),
            reason: 'left',
            positions,
          });
        },
        'stream:gap': (message) => this.gaps.add(gapOf(message)),
        'stream:denied': ({ connection, channel, reason }) =>
          this.denied.add({ kind: 'denied', at: Date.now(), who: whoIs(connection), channel, reason }),
        'channel:purged': (message) => this.#cleared('purged', message),
        'channel:completed': (message) => this.#cleared('completed', message),
      },
      hub,
    );
  }

  /** Denials, gaps, and ends that somebody may ask about; the newest first. */
  notable(limit: number): Notable[] {
    const ends = [...this.ended].filter(({ reason }) => !ORDINARY.has(reason));
    const all: Notable[] = [...this.gaps, ...this.denied, ...ends];
    return all.sort((one, other) => other.at - one.at).slice(0, limit);
  }

  close(): void {
    this.#stop();
  }

  #cleared(kind: Cleared['kind'], { channel }: OfChannel): void {
    this.cleared.add({ kind, at: Date.now(), channel });
  }
}

/** The bytes of a record without its texts, about. */
const RECORD = 160;

const sizeOfPublished = ({ channel, id, type = '', error = '' }: Published): number =>
  RECORD + 2 * (channel.length + id.length + type.length + error.length);

const sizeOfWho = ({ id, user = '', path, address = '' }: Who): number =>
  RECORD + 2 * (id.length + user.length + path.length + address.length);

const sizeOfEnded = ({ who, positions }: Ended): number =>
  positions.reduce((sum, { channel }) => sum + RECORD + 2 * channel.length, RECORD + sizeOfWho(who));

const sizeOfDenied = ({ who, channel }: Denied): number => RECORD + sizeOfWho(who) + 2 * channel.length;

const sizeOfGap = ({ who, channel, requested }: GapTold): number =>
  RECORD + sizeOfWho(who) + 2 * (channel.length + requested.length);

/**
 * A text that was cut out of one that a client has sent, as a copy: V8 would keep all of that for it, and a query or a header
 * may have 16 kB.
 */
const copyOf = (text: string): string => Buffer.from(text).toString();

export function whoIs({
  info: { id, user, path, address, connectedAt },
}: Pick<ObservedConnection, 'info'>): Who {
  return { id, user, path: copyOf(path), address, since: connectedAt.getTime() };
}

function gapOf({
  connection,
  channel,
  reason,
  requested,
  oldest,
  latest,
}: SseDiagnostics['stream:gap']): GapTold {
  const who = whoIs(connection);
  return {
    ...{ kind: 'gap', at: Date.now(), who, channel, reason, oldest, latest },
    requested: copyOf(requested),
  };
}

function publishedOf({ channel, type, bytes, result, error }: Publishing): Published {
  const fault =
    error === undefined
      ? undefined
      : error instanceof SseError
        ? error.code
        : error instanceof Error
          ? error.message.slice(0, 200)
          : 'an error';
  return { kind: 'published', at: Date.now(), channel, id: result?.id ?? '', type, bytes, error: fault };
}
