import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import {
  WINDOW,
  type BackplaneState,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type RangeQuery,
  type SseBackplane,
} from '../../log/backplane.js';
import { newMark } from './mark.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { hubClosed, reasonOf, SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import type { OpenBackplane } from '../backplane-factory.js';
import type { ClusterLink } from './cluster-link.js';
import { CopyMemory } from './copy-memory.js';
import { LocalCopy } from './local-copy.js';
import { RemoteCalls } from './remote-calls.js';
import { RemoteCluster } from './remote-cluster.js';
import type { Connection, Notice, RemoteLogs } from './remote-logs.js';
import type { RemoteOptions } from './remote.options.js';
import { RemoteState } from './remote-state.js';
import { Sweep } from './sweep.js';
import { ConcurrencyLimit, giveUpAfter } from './tasks.js';

/** Milliseconds that calls have for their answers when the application closes. */
const CLOSE_GRACE = 1_000;
/** Milliseconds after which a read of the orders that failed is tried again. */
const RETRY = 250;
/** The most copies that are compared with the server at the same time. */
const COMPARED_AT_ONCE = 50;

/** A channel that is followed in this process. */
interface Held {
  readonly channel: string;
  readonly settings: ChannelSettings;
  readonly copy: LocalCopy;
  readonly opened: Promise<void>;
  /** Callers of `follow()` that follow it, or wait until it is open. */
  users: number;
  /** When it was last compared with the server, by `performance.now()`. */
  comparedAt: number;
}

/**
 * Logs on a server, shared by all instances that use it, with a local copy of each that is followed here.
 *
 * Two kinds of calls go to the server:
 * - calls of the hub, while the connection is `up` or `silent`;
 * - reads and subscriptions of the local copies, while it is `up`: without notices a copy is of no use.
 *
 * After a loss of the connection, both wait until the orders of the other instances were read (cluster/orders.ts): an
 * instance that was cut off must obey a `revoke()` before it sends anything.
 *
 * `append()` gives an event to {@link RemoteLogs}. It comes back as an answer or a notice, on the other instances as a
 * notice only (`#open()`), and goes by {@link LocalCopy} to those who follow its channel.
 */
export class RemoteBackplane implements SseBackplane {
  readonly #held = new Map<string, Held>();
  readonly #memory: CopyMemory;
  readonly #calls: RemoteCalls;
  /** Calls of local copies. `maxPending` does not limit them, as each channel has one at a time. */
  readonly #copying: RemoteCalls;
  readonly #comparisons = new ConcurrencyLimit(COMPARED_AT_ONCE);
  /** Channels that wait for their comparison. */
  readonly #toCompare = new Set<Held>();
  #connection: Connection | 'closed';
  readonly #state = new RemoteState();
  /** Counts the changes of the connection: `#goOn()` also stops if the state is the same again. */
  #changes = 0;
  #closing: Promise<void> | undefined;
  readonly #sweep = new Sweep<Held>(
    () => this.#held.values(),
    (some) => this.#refresh(some),
    (held) => this.#timeOf(held),
  );

  /**
   * @param catchUp reads the orders that were given while the connection was lost; rejects if they cannot be read now.
   * Until it resolves, no call is sent and no notice is taken in
   */
  constructor(
    private readonly logs: RemoteLogs,
    settings: Required<RemoteOptions>,
    private readonly limits: Required<SseLimits>,
    private readonly catchUp: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#memory = new CopyMemory(limits.historyBytes);
    this.#calls = new RemoteCalls(logs.server, settings);
    this.#copying = new RemoteCalls(logs.server, { ...settings, maxPending: Infinity });
    this.#connection = logs.watch((connection) => this.#changed(connection));
    this.#letThrough(); // no orders to catch up with: the cluster has just noted where they end (`openRemote()`)
  }

  async append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    const mark = newMark();
    const before = this.#held.get(channel)?.copy;
    before?.expect(mark);
    const publication = { channel, settings, event, mark, publishId };
    const appending = this.#calls.run('publish', (left, number) =>
      this.logs.append(publication, left, number),
    );
    const { position, entry } = await appending.catch((error: unknown) => {
      before?.settle(mark, 'other');
      throw error;
    });
    const hasCome = before?.settle(mark, entry ? 'answered' : 'other') === true;
    // If the channel is followed only since the call began, or anew, this is another copy than `before`.
    const copy = this.#held.get(channel)?.copy;
    if (!copy || (copy === before && hasCome && position.mark === mark)) return position;
    if (entry) await copy.add(entry).catch(warnUnlessAway);
    else if (copy.isOpen && !copy.log.has(position)) await copy.catchUp();
    return position;
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    this.#checkOpen();
    const held = this.#hold(channel, settings);
    held.users++;
    try {
      await held.opened;
    } catch (error) {
      this.#leave(held);
      this.#checkOpen();
      throw error;
    }
    this.#checkOpen();
    const { copy } = held;
    copy.expire(this.logs.now());
    const leave = copy.follow(follower);
    return {
      log: copy.log,
      locate: (position) => copy.locate(position),
      refill: () => copy.refill(),
      stop: () => {
        if (leave()) this.#leave(held);
      },
    };
  }

  read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    return this.#calls.run('other', () => this.logs.read(channel, settings, query));
  }

  async complete(channel: string, settings: ChannelSettings): Promise<void> {
    const head = await this.#calls.run('other', () => this.logs.complete(channel, settings));
    await this.#held.get(channel)?.copy.completed(head).catch(warnUnlessAway);
  }

  async purge(channel: string): Promise<void> {
    const newest = await this.#calls.run('other', () => this.logs.purge(channel));
    if (newest) await this.#held.get(channel)?.copy.purged(newest).catch(warnUnlessAway);
  }

  stats(): BackplaneStats {
    let historyEvents = 0;
    let historyBytes = 0;
    for (const { copy } of this.#held.values()) {
      if (!copy.isOpen) continue;
      historyEvents += copy.log.size;
      historyBytes += copy.log.bytes;
    }
    const resent = this.#calls.resent + this.#copying.resent;
    return { channels: this.#held.size, historyEvents, historyBytes, resent };
  }

  state(): BackplaneState {
    return this.#state.current;
  }

  onStateChange(listener: (state: BackplaneState) => void): () => void {
    return this.#state.listen(listener);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#connection = 'closed';
    this.#state.close();
    this.#sweep.stop();
    for (const { copy } of this.#held.values()) copy.close();
    this.#held.clear();
    const answered = Promise.all([this.#calls.close(), this.#copying.close()]);
    await giveUpAfter(CLOSE_GRACE, () => answered).catch(() => undefined);
    await this.logs.close();
  }

  #checkOpen(): void {
    if (this.#connection === 'closed') throw hubClosed();
  }

  #hold(channel: string, settings: ChannelSettings): Held {
    const known = this.#held.get(channel);
    if (known) return known;
    if (this.#held.size >= this.limits.channels) {
      throw new SseError(
        'HUB_FULL',
        `${this.#held.size} channels are followed, which is limits.channels. Raise it.`,
      );
    }
    const source = {
      read: (known: Position | undefined, asked: readonly Position[]) =>
        this.#copying.run('other', () => this.logs.readOn(channel, settings, known, asked)),
      noticesArrived: () => this.#copying.run('other', () => this.logs.noticesArrived()),
    };
    const copy = new LocalCopy(settings.history ?? WINDOW, source, this.#memory, this.#state);
    const opened = this.#open(channel, copy);
    const held = { channel, settings, copy, opened, users: 0, comparedAt: performance.now() };
    this.#held.set(channel, held);
    this.#sweep.within(this.#timeOf(held));
    return held;
  }

  async #open(channel: string, copy: LocalCopy): Promise<void> {
    const receive = (notice: Notice): void => {
      // Dropped until the orders were read: `#letThrough()` has the copy read then.
      if (this.#copying.isUp) copy.receive(notice).catch(warnUnlessAway);
    };
    await this.#copying.run('other', (left) => this.logs.subscribe(channel, receive, left));
    await copy.catchUp();
  }

  #leave(held: Held): void {
    if (--held.users > 0) return;
    held.copy.close();
    if (this.#held.get(held.channel) !== held) return;
    this.#held.delete(held.channel);
    this.logs.unsubscribe(held.channel);
  }

  #changed(connection: Connection): void {
    if (this.#connection === 'closed') return;
    this.#connection = connection;
    this.#changes++;
    if (connection === 'away') this.#calls.down();
    this.#copying.down();
    this.#state.away();
    for (const { copy } of this.#held.values()) copy.interrupted();
    if (connection !== 'away') void this.#goOn(this.#changes);
  }

  /** Reads the orders, and then lets calls through, unless the connection is another one by then. */
  async #goOn(change: number): Promise<void> {
    const isOver = (): boolean => this.#changes !== change || this.#connection === 'closed';
    while (!isOver()) {
      try {
        await this.catchUp();
        break;
      } catch {
        await delay(RETRY, undefined, { ref: false });
      }
    }
    if (!isOver()) this.#letThrough();
  }

  #letThrough(): void {
    if (this.#connection === 'away') return;
    this.#calls.up();
    if (this.#connection !== 'up') return;
    this.#copying.up();
    this.#state.reachable();
    for (const held of this.#held.values()) this.#compare(held);
  }

  /** Brings a copy up to date when its turn comes. One that is not open yet is being read for the first time. */
  #compare(held: Held): void {
    held.comparedAt = performance.now();
    if (this.#toCompare.has(held)) return;
    this.#toCompare.add(held);
    void this.#comparisons.run(async () => {
      this.#toCompare.delete(held);
      if (held.copy.isOpen) await held.copy.catchUp();
    });
  }

  /** Milliseconds after which a copy has to be compared, or something in it has to go. */
  #timeOf({ settings }: Held): number {
    return Math.min(this.logs.comparisonInterval(settings), settings.history?.age ?? Infinity);
  }

  /** Lets go of what is too old, and compares with the server what has rested for long enough. */
  #refresh(some: readonly Held[]): undefined {
    const now = performance.now();
    const time = this.logs.now();
    for (const held of some) {
      held.copy.expire(time);
      if (now - held.comparedAt >= this.logs.comparisonInterval(held.settings)) this.#compare(held);
    }
  }
}

/** A copy tries a failed read again by itself. */
const warnUnlessAway = (error: unknown): void => {
  if (!(error instanceof SseError)) new Logger('SseHub').error(error);
};

/**
 * Makes a backplane of a server's logs, and a cluster of its link. Both use the connection of `logs`. The backplane
 * closes that, so the cluster is to be closed first.
 *
 * @throws SseError `BACKPLANE_FAILED`, and nothing is left open
 */
export async function openRemote(
  logs: RemoteLogs,
  link: ClusterLink,
  settings: Required<RemoteOptions>,
  limits: Required<SseLimits>,
): Promise<OpenBackplane> {
  const cluster = new RemoteCluster(link);
  try {
    await cluster.start();
  } catch (cause) {
    await link.close().catch(() => undefined);
    await logs.close();
    const reason = reasonOf(cause);
    throw new SseError('BACKPLANE_FAILED', `The other instances cannot be joined: ${reason}`, { cause });
  }
  return { backplane: new RemoteBackplane(logs, settings, limits, () => cluster.catchUp()), cluster };
}
