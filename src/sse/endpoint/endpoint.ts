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
} from '@nestjs/common';
import { EMPTY, type Observable } from 'rxjs';
import { Access } from '../access/access.js';
import { ANSWER_TIME } from '../cluster/scatter-gather.js';
import type { Exchange } from '../http/exchange.js';
import { Identification } from '../http/identity.js';
import { refuseForms } from '../http/refuse-forms.js';
import type { SseConnection } from '../http/sse-connection.js';
import type { SseEvent } from '../log/sse-event.js';
import type { IdForm } from '../protocol/position.js';
import { SseHub } from '../sse-hub.js';
import { SseError } from '../sse.errors.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Streams } from '../streams/streams.js';
import { LONGEST_TIMER } from '../validate.js';
import { EndpointStream } from './endpoint-stream.js';
import { positionsOf } from './positions-body.js';
import {
  JoinableStreams,
  type ChangeOutcome,
  type JoinsAndLeaves,
  type RefusedChange,
} from './joinable-streams.js';

/** The ready-made endpoint: it streams the channels that its client requests, and is granted. */
@Injectable()
export class Endpoint implements OnApplicationBootstrap {
  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly hub: SseHub,
    private readonly streams: Streams,
    private readonly access: Access,
    private readonly identification: Identification,
    private readonly joinable: JoinableStreams,
  ) {}

  onApplicationBootstrap(): void {
    if (this.access.authorization.hasAuthorisers) return;
    new Logger('SseModule').warn(
      'The endpoint denies every channel, as no method has @AuthorizeChannel() to grant one.',
    );
  }

  /** The stream of the current request, whose channels are in its address and its last event ID. */
  stream(): Observable<SseEvent> {
    return this.#begin(this.#requestedBy(this.#connection));
  }

  /** The stream of the current request, whose channels are in its body, each with the position of the client. */
  streamFrom(body: unknown): Observable<SseEvent> {
    const { exchange, reader } = this.#connection;
    refuseForms(exchange);
    const positions = positionsOf(body, exchange);
    const channels = new Set([...this.#inQuery(exchange), ...positions.keys()]);
    this.#check([...channels], reader.position.form);
    reader.position.bring(positions);
    return this.#begin(channels);
  }

  /** The method of every route runs in the context of its response. */
  get #connection(): SseConnection {
    return this.streams.responseReader?.sink as SseConnection;
  }

  #begin(channels: ReadonlySet<string>): Observable<SseEvent> {
    const connection = this.#connection;
    const atFirst = this.#streamOf(connection, channels);
    const limits = {
      channels: this.streams.maxChannels[connection.reader.position.form],
      joinsPerSecond: this.settings.limits.joinsPerSecond,
    };
    const { authorization } = this.access;
    return new EndpointStream(connection, this.hub, authorization, this.joinable, limits).events(atFirst);
  }

  /** Joins channels to an open stream, and leaves others, on whichever instance the stream is. */
  async change(connection: string, body: unknown, exchange: Exchange): Promise<ChangeOutcome> {
    refuseForms(exchange);
    const change = this.#changeOf(body);
    const identity = await this.identification.of(exchange.adaptedRequest);
    const time = Math.min(this.settings.authorizeTime + ANSWER_TIME, LONGEST_TIMER);
    // Text that cannot be an id is not worth a question to all instances.
    const outcome =
      CONNECTION_ID.test(connection) &&
      (await this.joinable.changeAnywhere({ connection, user: identity?.user, change }, time));
    if (!outcome) throw new NotFoundException('There is no such connection.');
    if (!('refused' in outcome)) return outcome;
    if (outcome.retry !== undefined)
      exchange.response.setHeader('Retry-After', Math.ceil(outcome.retry / 1_000));
    throw new HttpException(outcome.message, STATUS[outcome.refused]);
  }

  /** The channels in the query, and those that the client's Last-Event-ID names. */
  #requestedBy({ exchange, lastEventId, reader }: SseConnection): ReadonlySet<string> {
    const channels = this.#inQuery(exchange);
    const { form } = reader.position;
    this.#check([...channels], form);
    const before = lastEventId.kind === 'named' ? lastEventId.positions.keys() : [];
    const most = this.streams.maxChannels[form];
    for (const name of before) {
      if (channels.size >= most) break;
      // The id may be too old, or not one of ours: names that cannot be streamed are skipped.
      if (this.#areStreamable([...channels, name], form)) channels.add(name);
    }
    return channels;
  }

  #inQuery({ query }: Exchange): Set<string> {
    if (query?.has('channels'))
      throw new BadRequestException(
        'There is no parameter "channels". Repeat "channel": ?channel=a&channel=b.',
      );
    return new Set(query?.getAll('channel'));
  }

  /** Streams the channels that have a method to ask, and denies the others. */
  #streamOf(connection: SseConnection, channels: ReadonlySet<string>): Observable<SseEvent> {
    if (channels.size === 0) return EMPTY;
    // The endpoint denies channels without a method to ask, whatever `unguarded` says.
    const { authorization } = this.access;
    const guarded: string[] = [];
    for (const channel of channels) {
      if (authorization.isRestricted(channel)) {
        guarded.push(channel);
      } else {
        authorization.logUnguarded(channel);
        connection.gate?.denied(channel);
      }
    }
    if (guarded.length > 0) return this.hub.stream(guarded);
    if (connection.reader.position.form === 'own') return EMPTY;
    throw new ForbiddenException('None of these channels may be streamed.');
  }

  /** @throws BadRequestException for channels that cannot be streamed, or are too many */
  #check(channels: readonly string[], form: IdForm): void {
    try {
      if (channels.length > 0) this.streams.settingsOf(channels, form);
    } catch (error) {
      throw error instanceof SseError ? new BadRequestException(error.message) : error;
    }
  }

  #areStreamable(channels: readonly string[], form: IdForm): boolean {
    try {
      this.#check(channels, form);
      return true;
    } catch {
      return false;
    }
  }

  #changeOf(body: unknown): JoinsAndLeaves {
    const { join = [], leave = [], ...others } = (body ?? {}) as Partial<Record<string, unknown>>;
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
    if (!isObject || Object.keys(others).length > 0 || !areJoins(join) || !areStrings(leave))
      throw new BadRequestException(
        'Send JSON: { "join": [...], "leave": [...] }, where either may be left out. An item of "leave" is a name; one of "join" is a name or { "channel": name, "lastEventId": position }.',
      );
    const joins = join.map((one) => (typeof one === 'string' ? { channel: one } : one));
    const positions = Object.fromEntries(
      joins.flatMap(({ channel, lastEventId }) =>
        lastEventId === undefined ? [] : [[channel, lastEventId]],
      ),
    );
    const names = joins.map(({ channel }) => channel);
    const change = { join: [...new Set(names)], leave: [...new Set(leave)], positions };
    // Its stream knows which form its ids have, and may be elsewhere: it refuses what is too much for it.
    this.#check(change.join, 'own');
    this.#check(change.leave, 'own');
    if (change.join.some((channel) => change.leave.includes(channel)))
      throw new BadRequestException('Name a channel in "join" or in "leave", not in both.');
    return change;
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
