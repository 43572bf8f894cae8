import { catchError, EMPTY, finalize, merge, mergeAll, Subject, type Observable } from 'rxjs';
import type { Authorization } from '../access/authorization.js';
import type { ConnectionPart } from '../http/connection-part.js';
import { RateLimit } from '../http/limits.js';
import { ownEvent } from '../http/event-body.js';
import type { SseConnection } from '../http/sse-connection.js';
import type { SseEvent } from '../log/sse-event.js';
import { MAX_ID_BYTES, parseLastEventId } from '../protocol/position.js';
import type { SseHub } from '../sse-hub.js';
import { haveLongIds } from '../streams/stream-reader.js';
import type { ChangeOutcome, JoinsAndLeaves, JoinableStreams, RefusedChange } from './joinable-streams.js';

/** A channel that is being joined. */
interface Joining {
  /** Whether it was left again before it was joined. */
  isLeft: boolean;
  /** Whether the client may stream it, once it is streamed. */
  isGranted: Promise<boolean>;
  /** The position from which it is streamed; undefined where there is none, and where a gap or a snapshot comes first. */
  beginsAt?: string;
}

/**
 * One open stream of the endpoint, whose client joins channels and leaves them. A join is in `#joining` until it was
 * decided and the channel has begun, and in `#entering` from the grant until the position of the channel is known.
 */
export class EndpointStream implements ConnectionPart {
  /** The streams of the channels that were joined. */
  readonly #joined = new Subject<Observable<SseEvent>>();
  readonly #joining = new Map<string, Joining>();
  /** Resolves the joins that wait for their channel to begin. */
  readonly #entering = new Map<string, () => void>();
  readonly #rate: RateLimit;

  constructor(
    private readonly connection: SseConnection,
    private readonly hub: SseHub,
    private readonly authorization: Authorization,
    private readonly joinable: JoinableStreams,
    private readonly limits: { readonly channels: number; readonly joinsPerSecond: number },
  ) {
    const { joinsPerSecond, channels } = limits;
    // A page may join all its channels at once.
    this.#rate = new RateLimit(joinsPerSecond, Math.max(joinsPerSecond, channels));
    connection.reader.position.channels = 'joined';
    connection.add(this);
    joinable.add(connection.id, this);
  }

  /** The user that it belongs to, as `identify` says; undefined for an unknown one. */
  get user(): string | undefined {
    return this.connection.identity?.user;
  }

  /** The client joins channels by this id, and has to know it before any event of them. */
  firstEvents(): string {
    return ownEvent('connection', { id: this.connection.id });
  }

  /** A client with own ids is told of each channel that it does not get, as it may join others. */
  refusal(): null | undefined {
    return this.connection.reader.position.form === 'own' ? null : undefined;
  }

  closed(): void {
    this.joinable.delete(this.connection.id);
  }

  /** All events of the client. The Observable does not complete, as the client may join more channels. */
  events(atFirst: Observable<SseEvent>): Observable<SseEvent> {
    return merge(atFirst, this.#joined.pipe(mergeAll()));
  }

  /** Where channels begin is noted now: the cursors read on at once, while the client has nothing yet. */
  positionsKnown(): void {
    for (const name of this.#entering.keys()) {
      const { given, channel } = this.connection.reader.position.of(name) ?? {};
      const joining = this.#joining.get(name);
      if (joining && given && channel?.hasHistory) joining.beginsAt = channel.idOf(given);
    }
  }

  /** A channel is streamed from now on. */
  began(channel: string): void {
    this.#entering.get(channel)?.();
    this.#entering.delete(channel);
  }

  /** @throws SseError if a channel cannot be reached; part of the change may have been made */
  async change({ join, leave, positions }: JoinsAndLeaves): Promise<ChangeOutcome | RefusedChange> {
    const refusal = this.#refusalOf(join, leave);
    if (refusal) return refusal;
    const left = leave.filter((channel) => this.#leave(channel));
    // The client must not come back with an id that names a channel it has left.
    if (left.length > 0) this.connection.positionsKnown();
    // A channel may be named like a member of Object.prototype, as "constructor".
    const positionOf = new Map(Object.entries(positions));
    const joinings = join.map((channel) => this.#join(channel, positionOf.get(channel)));
    const granted = await Promise.all(joinings.map(({ isGranted }) => isGranted));
    const joined = join.filter((_, i) => granted[i] && !joinings[i]?.isLeft);
    const beginnings = join.flatMap((channel, i) => {
      const { beginsAt = '' } = joinings[i] ?? {};
      return beginsAt && joined.includes(channel) ? [[channel, beginsAt] as const] : [];
    });
    return {
      joined,
      positions: Object.fromEntries(beginnings),
      denied: join.filter((_, i) => !granted[i]),
      left,
      channels: this.connection.reader.position.names,
    };
  }

  /** Why a change cannot be made; then nothing is changed. */
  #refusalOf(join: readonly string[], leave: readonly string[]): RefusedChange | undefined {
    const { joinsPerSecond, channels } = this.limits;
    const { cursors, form } = this.connection.reader.position;
    const streamed = cursors.map(({ channel }) => channel.name);
    const kept = [...streamed, ...this.#joining.keys()].filter((channel) => !leave.includes(channel));
    const all = [...new Set([...kept, ...join])];
    if (all.length > channels || haveLongIds(all, form)) {
      const length = form === 'full' ? `, whose names fit into an id of ${MAX_ID_BYTES} bytes` : '';
      const message = `A connection takes at most ${channels} channels${length}. Leave some, or open a second connection.`;
      return { refused: 'full', message };
    }
    if (this.#rate.take(join.length)) return undefined;
    const message = `A connection joins at most ${joinsPerSecond} channels a second. Try again later.`;
    return { refused: 'often', message, retry: this.#rate.wait(join.length) };
  }

  /** @returns whether it was streamed */
  #leave(channel: string): boolean {
    const joining = this.#joining.get(channel);
    if (joining) joining.isLeft = true;
    this.#joining.delete(channel);
    const { reader } = this.connection;
    const wasStreamed = reader.withdraw(channel);
    // A channel that is not read yet, or has completed, must leave the client's ids, too.
    if (!wasStreamed) reader.position.forget(channel);
    return wasStreamed;
  }

  #join(channel: string, position: string | undefined): Joining {
    const known = this.#joining.get(channel);
    if (known) return known;
    const joining: Joining = { isLeft: false, isGranted: Promise.resolve(true) };
    if (this.connection.reader.position.names.includes(channel)) return joining;
    joining.isGranted = this.#joinIfGranted(channel, position, joining).finally(() => {
      if (this.#joining.get(channel) === joining) this.#joining.delete(channel);
    });
    this.#joining.set(channel, joining);
    return joining;
  }

  #joinIfGranted(channel: string, position: string | undefined, joining: Joining): Promise<boolean> {
    const { gate, reader } = this.connection;
    return new Promise((resolve, reject) => {
      const isAsked = gate?.ask(channel, reader, (isGranted) => {
        if (!isGranted || joining.isLeft) return resolve(isGranted);
        if (position !== undefined) reader.position.beginAt(channel, parseLastEventId(position));
        this.#enter(channel).then(() => resolve(true), reject);
      });
      // The endpoint denies channels without a method to ask.
      if (!isAsked) {
        this.authorization.logUnguarded(channel);
        resolve(false);
      }
    });
  }

  /** Resolves when its position is known: what is published from then on is not missed. */
  #enter(channel: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#entering.set(channel, resolve);
      const isEntering = (): boolean => this.#entering.get(channel) === resolve;
      const stream = this.hub.stream(channel, { authorize: false }).pipe(
        catchError((error: Error) => {
          // A failure after the beginning ends the whole response, as for channels of the first request: the client
          // reconnects.
          if (!isEntering()) throw error;
          reject(error);
          return EMPTY;
        }),
        finalize(() => {
          if (isEntering()) this.#entering.delete(channel);
          resolve(); // the channel has completed already, or the client has gone
        }),
      );
      // After a failure nobody subscribes any more, while the error may still be on its way to the client.
      if (this.#joined.observed) this.#joined.next(stream);
      else resolve();
    });
  }
}
