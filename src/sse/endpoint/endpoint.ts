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
import { EMPTY, type Observable } from 'rxjs';
import { Access } from '../access/access.js';
import { ANSWER_TIME } from '../cluster/scatter-gather.js';
import type { Exchange } from '../http/exchange.js';
import { Identification } from '../http/identity.js';
import type { SseConnection } from '../http/sse-connection.js';
import type { SseEvent } from '../log/sse-event.js';
import { SseHub } from '../sse-hub.js';
import { SseError } from '../sse.errors.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Streams } from '../streams/streams.js';
import { LONGEST_TIMER } from '../validate.js';
import { EndpointStream } from './endpoint-stream.js';
import {
  JoinableStreams,
  type ChangedChannels,
  type ChangeRequest,
  type ChannelsChange,
  type RefusedChange,
} from './joinable-streams.js';

/** The ready endpoint: it streams the channels that its client asks for, and is granted. */
@Injectable()
export class Endpoint implements OnApplicationBootstrap {
  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly hub: SseHub,
    private readonly streams: Streams,
    private readonly access: Access,
    private readonly identification: Identification,
    private readonly open: JoinableStreams,
  ) {}

  onApplicationBootstrap(): void {
    if (this.access.authorization.hasAuthorisers) return;
    new Logger('SseModule').warn(
      'The endpoint denies every channel, as no method has @AuthorizeChannel() to grant one.',
    );
  }

  /** The stream of the request in whose context it is called. */
  stream(): Observable<SseEvent> {
    const connection = this.streams.responseReader?.sink as SseConnection; // in which the method of every route runs
    const atFirst = this.#granted(connection, this.#askedBy(connection));
    const { authorization } = this.access;
    const { limits } = this.settings;
    return new EndpointStream(connection, this.hub, authorization, this.open, limits).events(atFirst);
  }

  /** Joins channels to an open stream, and leaves others, wherever it is. */
  async change(connection: string, body: unknown, exchange: Exchange): Promise<ChangedChannels> {
    this.#refuseForms(exchange);
    const change = this.#changeOf(body);
    const identity = await this.identification.of(exchange.adaptedRequest);
    const outcome = await this.#changed({ connection, user: identity?.user, change });
    if (!outcome) throw new NotFoundException('There is no such connection.');
    if (!('refused' in outcome)) return outcome;
    if (outcome.retry !== undefined)
      exchange.response.setHeader('Retry-After', Math.ceil(outcome.retry / 1_000));
    throw new HttpException(outcome.message, STATUS[outcome.refused]);
  }

  /** The channels in the query, and those that the client had by its id before it lost its connection. */
  #askedBy({ exchange, lastEventId }: SseConnection): ReadonlySet<string> {
    if (exchange.query?.has('channels'))
      throw new BadRequestException('Name each in a parameter "channel": ?channel=a&channel=b.');
    const channels = new Set(exchange.query?.getAll('channel'));
    this.#check([...channels]);
    const before = lastEventId.kind === 'named' ? lastEventId.positions.keys() : [];
    for (const name of before) {
      if (channels.size >= this.settings.limits.channelsPerConnection) break;
      // The id may be too old, or none of ours: names that can be of use are used.
      if (this.#areStreamable([...channels, name])) channels.add(name);
    }
    return channels;
  }

  #granted(connection: SseConnection, channels: ReadonlySet<string>): Observable<SseEvent> {
    if (channels.size === 0) return EMPTY;
    // A channel that nobody is asked for is granted by nobody.
    const { authorization } = this.access;
    const guarded = [...channels].filter((channel) => authorization.guards(channel));
    for (const channel of channels) {
      if (guarded.includes(channel)) continue;
      authorization.denyUnguarded(channel);
      connection.gate?.denied(channel);
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

  #areStreamable(channels: readonly string[]): boolean {
    try {
      this.#check(channels);
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

  async #changed(request: ChangeRequest): Promise<ChangedChannels | RefusedChange | undefined> {
    if (!CONNECTION_ID.test(request.connection)) return undefined;
    const time = Math.min(this.settings.authorizeTime + ANSWER_TIME, LONGEST_TIMER);
    try {
      return await this.open.changeAnywhere(request, time);
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
