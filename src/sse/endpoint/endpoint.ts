import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  Logger,
  NotFoundException,
  type OnApplicationBootstrap,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { defer, EMPTY, finalize, type Observable } from 'rxjs';
import type { Exchange } from '../http/exchange.js';
import type { SseConnection } from '../http/sse-connection.js';
import { Access } from '../access/access.js';
import { ChannelHandlers } from '../handlers/channel-handlers.js';
import { checkIdentity, refuseExpired } from '../http/identity.js';
import {
  JoinableStreams,
  type ChangedChannels,
  type ChangeRequest,
  type ChannelsChange,
  type RefusedChange,
} from './joinable-streams.js';
import type { SseEvent } from '../log/sse-event.js';
import { SseHub } from '../sse-hub.js';
import { Streams } from '../streams/streams.js';
import { StreamObservers, type StreamObserver, type Subscriber } from '../http/stream-observer.js';
import { ANSWER_TIME } from '../cluster/scatter-gather.js';
import { encodedLength, longestId, MAX_ID_BYTES } from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { LONGEST_TIMER } from '../validate.js';
import { EndpointStream } from './endpoint-stream.js';

/** What the ready endpoint does: streams the channels that its client asks for, and is granted. */
@Injectable()
export class Endpoint implements OnApplicationBootstrap, StreamObserver {
  readonly #open = new WeakMap<Subscriber, EndpointStream>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly hub: SseHub,
    private readonly streams: Streams,
    private readonly access: Access,
    observers: StreamObservers,
    private readonly joinable: JoinableStreams,
    private readonly handlers: ChannelHandlers,
  ) {
    observers.add(this);
  }

  began(channel: string, subscriber: Subscriber): void {
    this.#open.get(subscriber)?.began(channel);
  }

  ended(): void {
    // A stream that ends tells whoever has subscribed to it.
  }

  onApplicationBootstrap(): void {
    if (this.handlers.has('authorize')) return;
    new Logger('SseModule').warn(
      'The endpoint denies every channel, as no method has @AuthorizeChannel() to grant one.',
    );
  }

  /** The stream of the request in whose context it is called. */
  stream(): Observable<SseEvent> {
    const connection = this.streams.response?.sink as SseConnection; // in which the method of every route runs
    connection.reader.position.isJoinable = true;
    const atFirst = this.#granted(connection, this.#askedBy(connection));
    const stream = new EndpointStream(connection, this.hub, this.settings.limits);
    this.#open.set(connection, stream);
    return defer(() => {
      this.joinable.add(connection.id, stream);
      return stream.events(atFirst);
    }).pipe(finalize(() => this.joinable.delete(connection.id)));
  }

  /** Joins channels to an open stream, and leaves others, wherever it is. */
  async change(connection: string, body: unknown, exchange: Exchange): Promise<ChangedChannels> {
    this.#refuseForms(exchange);
    const change = this.#changeOf(body);
    const user = await this.#userOf(exchange.adaptedRequest);
    const outcome = await this.#changed({ connection, user, change });
    if (!outcome) throw new NotFoundException('There is no such connection.');
    if (!('refused' in outcome)) return outcome;
    if (outcome.retry !== undefined)
      exchange.response.setHeader('Retry-After', Math.ceil(outcome.retry / 1_000));
    throw new HttpException(outcome.message, STATUS[outcome.refused]);
  }

  /** What is in the query, and what the client's id says that it had before it lost its connection. */
  #askedBy({ exchange, lastEventId }: SseConnection): ReadonlySet<string> {
    if (exchange.query?.has('channels'))
      throw new BadRequestException('Name each in a parameter "channel": ?channel=a&channel=b.');
    const channels = new Set(exchange.query?.getAll('channel'));
    this.#check([...channels]);
    let idLength = longestId([...channels]);
    const before = lastEventId.kind === 'named' ? lastEventId.positions.keys() : [];
    for (const name of before) {
      // Of an id that is none of ours, or is too old, whatever can be of use is used.
      if (channels.size >= this.settings.limits.channelsPerConnection) break;
      if (channels.has(name) || !this.#isStreamable(name)) continue;
      idLength += encodedLength(name);
      if (idLength > MAX_ID_BYTES) break;
      channels.add(name);
    }
    return channels;
  }

  #granted(connection: SseConnection, channels: ReadonlySet<string>): Observable<SseEvent> {
    if (channels.size === 0) return EMPTY;
    // Where nobody is asked, nobody has granted it.
    const { authorization } = this.access;
    const guarded = [...channels].filter((channel) => authorization.guards(channel));
    for (const channel of channels) {
      if (guarded.includes(channel)) continue;
      authorization.denyUnguarded(channel);
      connection.access?.denied(channel);
    }
    if (guarded.length === 0) throw new ForbiddenException('None of these channels may be streamed.');
    return this.hub.stream(guarded);
  }

  /** @throws BadRequestException for channels that cannot be streamed, or are too many */
  #check(channels: readonly string[]): void {
    try {
      if (channels.length > 0) this.hub.stream(channels); // which streams nothing until it is subscribed to
    } catch (error) {
      throw error instanceof SseError ? new BadRequestException(error.message) : error;
    }
  }

  #isStreamable(channel: string): boolean {
    try {
      this.#check([channel]);
      return true;
    } catch {
      return false;
    }
  }

  /** A page of another origin may send a form without being asked about it before, but not JSON. */
  #refuseForms({ request }: Exchange): void {
    const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
    if (!/^application\/([\w.-]+\+)?json$/i.test(type.trim()))
      throw new UnsupportedMediaTypeException('Send JSON, as application/json.');
  }

  #changeOf(body: unknown): ChannelsChange {
    const { join = [], leave = [], ...others } = (body ?? {}) as Partial<Record<string, unknown>>;
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
    if (!isObject || Object.keys(others).length > 0 || !areJoins(join) || !areStrings(leave))
      throw new BadRequestException(
        'Send { "join": [names], "leave": [names] } as JSON, or one of both. In the place of a name to be joined may stand { "channel": name, "lastEventId": position }.',
      );
    const joins = join.map((one) => (typeof one === 'string' ? { channel: one } : one));
    const positions = Object.fromEntries(
      joins.flatMap(({ channel, lastEventId }) => (lastEventId ? [[channel, lastEventId]] : [])),
    );
    const names = joins.map(({ channel }) => channel);
    const change = { join: [...new Set(names)], leave: [...new Set(leave)], positions };
    this.#check(change.join);
    this.#check(change.leave);
    if (change.join.some((channel) => change.leave.includes(channel)))
      throw new BadRequestException('A channel is to be joined or to be left, not both.');
    return change;
  }

  /** Who asks, by the same rules as for a stream. */
  async #userOf(request: object): Promise<string | undefined> {
    const identity = checkIdentity(await this.access.identify?.(request));
    refuseExpired(identity);
    return identity?.user;
  }

  async #changed(request: ChangeRequest): Promise<ChangedChannels | RefusedChange | undefined> {
    if (!CONNECTION_ID.test(request.connection)) return undefined;
    const time = Math.min(this.settings.authorizeTime + ANSWER_TIME, LONGEST_TIMER);
    try {
      return await this.joinable.changeAnywhere(request, time);
    } catch (error) {
      if (error instanceof SseError) return { refused: 'away', message: error.message };
      throw error;
    }
  }
}

/** As `randomUUID()` makes them. */
const CONNECTION_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

const STATUS: Readonly<Record<RefusedChange['refused'], HttpStatus>> = {
  full: HttpStatus.BAD_REQUEST,
  often: HttpStatus.TOO_MANY_REQUESTS,
  away: HttpStatus.SERVICE_UNAVAILABLE,
};

interface Join {
  readonly channel: string;
  readonly lastEventId?: string;
}

const areJoins = (value: unknown): value is (string | Join)[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' || isJoin(item));

function isJoin(item: unknown): item is Join {
  if (typeof item !== 'object' || item === null) return false;
  const { channel, lastEventId, ...others } = item as Partial<Record<keyof Join, unknown>>;
  const isPosition = lastEventId === undefined || typeof lastEventId === 'string';
  return typeof channel === 'string' && isPosition && Object.keys(others).length === 0;
}

const areStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
