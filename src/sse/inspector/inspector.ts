import { BadRequestException, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { Channels } from '../channels/channels.js';
import type { SseCluster } from '../cluster/cluster.js';
import type { Answer, ScatterGather } from '../cluster/scatter-gather.js';
import type { Connections } from '../http/connections.js';
import type { SseBackplane } from '../log/backplane.js';
import type { PresenceMember } from '../presence-member.js';
import type { HubStats, SseHub } from '../sse-hub.js';
import type { Streams } from '../streams/streams.js';
import { channelKey, ChannelRows, merged, type ChannelQuery, type ChannelRow } from './channel-rows.js';
import {
  compare,
  ConnectionRows,
  rowKey,
  type ConnectionQuery,
  type ConnectionRow,
  type ConnectionView,
} from './connection-rows.js';
import {
  EvidenceGatherer,
  type ConnectionEvidence,
  type EventEvidence,
  type Evidence,
  type EvidenceQuery,
} from './explain/evidence.js';
import { factsOf, referenceOf, type EventFacts } from './explain/event-facts.js';
import { byOutcome, summaryOf } from './explain/summary.js';
import { verdictOn, type Verdict } from './explain/verdict.js';
import { FigureCounter, type Figures } from './figures.js';
import type { InspectorSettings } from './inspector.options.js';
import { Recent, type Notable } from './recent.js';
import { tailOf, type TailPart } from './tail.js';

/** The parts of the package that the inspector looks into. */
export interface InspectedParts {
  readonly hub: SseHub;
  readonly connections: Connections;
  readonly channels: Channels;
  readonly streams: Streams;
  readonly definitions: ChannelDefinitions;
  readonly backplane: SseBackplane;
  readonly cluster: SseCluster;
  readonly instances: ScatterGather;
}

/** One instance at one moment. */
export interface InstanceFigures extends Figures {
  readonly instance: string;
  readonly stats: HubStats;
  /** Bytes of memory that its process takes. */
  readonly memory: number;
}

export interface FiguresMessage {
  readonly at: number;
  /** The instance that answers. */
  readonly here: string;
  readonly instances: readonly InstanceFigures[];
  readonly fault: string | undefined;
}

/** A part of a list that several instances have rows of. */
export interface Page<Row> {
  readonly total: number;
  readonly rows: readonly (Row & { readonly instance?: string })[];
  /** Why instances are missing; undefined if none is. */
  readonly fault: string | undefined;
}

export interface ChannelView extends ChannelRow {
  readonly history: { readonly count: number; readonly bytes: number; readonly age: number } | undefined;
  readonly replay: 'none' | 'all' | number;
  readonly slow: string;
  /** Its members; undefined without presence. */
  readonly members: readonly PresenceMember[] | undefined;
  readonly fault: string | undefined;
}

export interface Explanation {
  /** One plain sentence. */
  readonly sentence: string;
  readonly event: EventFacts;
  readonly verdicts: readonly (Verdict & {
    readonly connection: string;
    readonly user: string | undefined;
    readonly instance: string;
  })[];
  readonly fault: string | undefined;
}

export interface ExplainQuery {
  readonly event: string;
  readonly channel: string | undefined;
  readonly connection: string | undefined;
  readonly user: string | undefined;
}

interface Windowed {
  readonly offset: number;
  readonly limit: number;
}

interface Listing<Row> {
  readonly total: number;
  readonly rows: readonly Row[];
}

/** Subjects of the questions between instances. */
const ABOUT = {
  figures: 'inspector/figures',
  connections: 'inspector/connections',
  connection: 'inspector/connection',
  channels: 'inspector/channels',
  channel: 'inspector/channel',
  names: 'inspector/names',
  evidence: 'inspector/evidence',
  recent: 'inspector/recent',
} as const;

/** The most rows from the top of a list that a page may reach. */
const DEEPEST = 20_000;
const RECENT = 200;

/** What the page asks, of this instance or of all: each question is answered by the same code here and there. */
export class Inspector {
  readonly recent: Recent;
  readonly #connections: ConnectionRows;
  readonly #channels: ChannelRows;
  readonly #figures: FigureCounter;
  readonly #evidence: EvidenceGatherer;
  readonly #here: string;

  constructor(
    readonly parts: InspectedParts,
    readonly settings: InspectorSettings,
  ) {
    const { connections, channels, cluster, instances } = parts;
    this.#here = cluster.instance;
    this.#connections = new ConnectionRows(connections);
    this.#channels = new ChannelRows(channels);
    this.recent = new Recent(this.#here, settings.memory, (one) => this.#connections.isShown(one));
    this.#figures = new FigureCounter(this.#here);
    this.#evidence = new EvidenceGatherer(this.#connections, channels, this.recent);
    instances.answer(ABOUT.figures, () => [this.#ownFigures(this.#figures.asked())]);
    instances.answer(ABOUT.connections, (query: ConnectionQuery & { depth: number }) => [
      this.#connections.list(query, query.depth),
    ]);
    instances.answer(ABOUT.connection, ({ id }: { id: string }) => listOf(this.#connections.view(id)));
    instances.answer(ABOUT.channels, (query: ChannelQuery & { depth: number }) => [
      this.#channels.list(query, query.depth),
    ]);
    instances.answer(ABOUT.channel, ({ name }: { name: string }) => listOf(this.#channels.of(name)));
    instances.answer(ABOUT.names, ({ hash }: { hash: string }) => this.#channels.withHash(hash));
    instances.answer(ABOUT.evidence, (query: EvidenceQuery) => this.#evidence.gather(query));
    instances.answer(ABOUT.recent, () => this.recent.notable(RECENT));
  }

  close(): void {
    this.recent.close();
    this.#figures.close();
  }

  /** Whether it counts what happens: somebody looks. */
  get isCounting(): boolean {
    return this.#figures.isRunning;
  }

  // ---- What moves

  /** The figures of all instances, now and then once a second. */
  figures(): Observable<FiguresMessage> {
    this.#hideOwn();
    return new Observable((subscriber) => {
      let isAsking = false;
      const tell = async (): Promise<void> => {
        if (isAsking) return; // an instance that does not answer takes a second
        isAsking = true;
        const here = this.#ownFigures(this.#figures.last);
        const { answers, fault } = await this.#ask<InstanceFigures>(ABOUT.figures, {}, () => [here]);
        isAsking = false;
        const instances = answers.flatMap(({ items }) => items);
        subscriber.next({ at: Date.now(), here: this.#here, instances, fault });
      };
      const stop = this.#figures.look(() => void tell());
      void tell();
      return stop;
    });
  }

  tail(channel: string, text: string): Observable<TailPart> {
    this.#hideOwn();
    const settings = this.parts.definitions.settingsOf(channel);
    return tailOf(channel, settings, text, this.parts.backplane);
  }

  /** The response that is being served is not shown. */
  #hideOwn(): void {
    const connection = this.parts.streams.responseReader?.sink;
    if (connection) this.#connections.hide(connection);
  }

  #ownFigures(figures: Figures): InstanceFigures {
    const stats = { ...this.parts.hub.stats(), connections: this.#connections.all.length };
    return { ...figures, instance: this.#here, stats, memory: process.memoryUsage.rss() };
  }

  // ---- Lists

  async connections(
    query: ConnectionQuery & Windowed,
    instance: string | undefined,
  ): Promise<Page<ConnectionRow>> {
    const { sort, order } = query;
    return this.#page(ABOUT.connections, query, instance, (depth) => this.#connections.list(query, depth), {
      merge: (rows) => rows,
      key: (row) => rowKey(row, sort),
      order,
    });
  }

  async channels(query: ChannelQuery & Windowed, instance: string | undefined): Promise<Page<ChannelRow>> {
    const { sort, order } = query;
    return this.#page(ABOUT.channels, query, instance, (depth) => this.#channels.list(query, depth), {
      merge: merged,
      key: (row) => channelKey(row, sort),
      order,
    });
  }

  /** @throws NotFoundException, ServiceUnavailableException where an instance that may have it has not answered */
  async connection(id: string): Promise<ConnectionView & { readonly instance: string }> {
    const { answers, fault } = await this.#ask<ConnectionView>(ABOUT.connection, { id }, () =>
      listOf(this.#connections.view(id)),
    );
    const found = answers.find(({ items }) => items.length > 0);
    if (found) return { ...(found.items[0] as ConnectionView), instance: found.from };
    if (fault !== undefined) throw new ServiceUnavailableException(`${fault} The connection may be there.`);
    throw new NotFoundException(
      'This connection is not open any more. Explain remembers for some minutes what became of its events.',
    );
  }

  async channel(name: string): Promise<ChannelView> {
    const settings = this.parts.definitions.settingsOf(name);
    const { answers, fault } = await this.#ask<ChannelRow>(ABOUT.channel, { name }, () =>
      listOf(this.#channels.of(name)),
    );
    const definition = this.parts.definitions.patternOf(name);
    const nobody: ChannelRow = { name, definition, subscribers: 0, log: undefined };
    const [row = nobody] = merged(answers.flatMap(({ items }) => items));
    const { history, replay, slow, presence } = settings;
    return {
      ...row,
      history: history && { ...history },
      replay,
      slow: typeof slow === 'string' ? slow : 'latest',
      members: presence ? [...(await this.parts.hub.presence(name))] : undefined,
      fault,
    };
  }

  /** Denials, gaps and ends of the last minutes that somebody may ask about. */
  async notable(): Promise<{ readonly items: readonly Notable[]; readonly fault: string | undefined }> {
    const { answers, fault } = await this.#ask<Notable>(ABOUT.recent, {}, () => this.recent.notable(RECENT));
    const items = answers.flatMap((answer) => answer.items).sort((one, other) => other.at - one.at);
    return { items: items.slice(0, RECENT), fault };
  }

  // ---- Explain

  /** @throws BadRequestException, SseError */
  async explain({ event: text, channel: given, connection, user }: ExplainQuery): Promise<Explanation> {
    const reference = referenceOf(text, given);
    if (!reference)
      throw new BadRequestException(
        'Name the event by its id, by its offset in the channel, or say "latest".',
      );
    const channel = reference.channel ?? (await this.#channelOf(reference.hash));
    const { definitions, backplane } = this.parts;
    const settings = definitions.settingsOf(channel);
    if (!settings.history)
      throw new BadRequestException(
        `The channel "${channel}" has no history: its events have no ids, and nothing is known of a single one.`,
      );
    const facts = await factsOf(channel, reference.place, settings, backplane);
    const query: EvidenceQuery = { channel, offset: facts.offset, id: facts.id, connection, user };
    const { answers, fault } = await this.#ask<Evidence>(ABOUT.evidence, query, () =>
      this.#evidence.gather(query),
    );
    const known = answers.flatMap(({ items }) => items.filter(isOfEvent));
    const published = known.flatMap((one) => one.published ?? [])[0];
    const event = published && facts.state === 'gone' ? { ...facts, ...remembered(published) } : facts;
    const verdicts = answers
      .flatMap(({ from, items }) => items.filter(isOfConnection).map((one) => ({ from, one })))
      .map(({ from, one }) => ({
        ...verdictOn(event, one),
        ...{ connection: one.who.id, user: one.who.user, since: one.who.since, instance: from },
      }))
      .sort((one, other) => byOutcome(one, other) || other.since - one.since);
    const whose = connection === undefined ? user && `the user "${user}"` : `the connection ${connection}`;
    return { sentence: summaryOf(event, known, verdicts, whose), event, verdicts, fault };
  }

  /** Finds the channel of an id by its hash. @throws BadRequestException */
  async #channelOf(hash: string | undefined): Promise<string> {
    if (hash === undefined) throw new BadRequestException('Name the channel, too.');
    const { answers } = await this.#ask<string>(ABOUT.names, { hash }, () => this.#channels.withHash(hash));
    const names = [...new Set(answers.flatMap(({ items }) => items))];
    if (names.length === 1) return names[0] as string;
    throw new BadRequestException(
      names.length === 0
        ? 'No channel that is streamed now has this id. Name the channel, too.'
        : `This id may be of several channels: ${names.join(', ')}. Name the channel, too.`,
    );
  }

  // ---- Asking all instances

  /** One page of a list: the first rows of each instance, merged. */
  async #page<Row extends object>(
    about: string,
    { offset, limit, ...query }: object & Windowed,
    instance: string | undefined,
    here: (depth: number) => Listing<Row>,
    by: {
      readonly merge: (rows: Row[]) => Row[];
      readonly key: (row: Row) => string | number;
      readonly order: 'up' | 'down';
    },
  ): Promise<Page<Row>> {
    const depth = Math.min(offset + limit, DEEPEST);
    const { answers, fault } = await this.#ask<Listing<Row>>(
      about,
      { ...query, depth },
      () => [here(depth)],
      instance,
    );
    const total = answers.reduce((sum, { items }) => sum + (items[0]?.total ?? 0), 0);
    const rows = answers.flatMap(({ from, items }) =>
      (items[0]?.rows ?? []).map((row) => ({ ...row, instance: from })),
    );
    const sign = by.order === 'up' ? 1 : -1;
    const all = by.merge(rows).sort((one, other) => sign * compare(by.key(one), by.key(other)));
    // A channel of several instances is one row. Those beyond this depth may be, too: then it is too high until they are seen.
    const count = total - (rows.length - all.length);
    return { total: Math.min(count, DEEPEST), rows: all.slice(offset, offset + limit), fault };
  }

  /**
   * What this instance says, and the others if they are meant. If they cannot be asked, this one answers alone: an inspector
   * that fails while the backplane is away would be of no use.
   */
  async #ask<Item>(
    about: string,
    question: object,
    here: () => Item[],
    instance?: string,
  ): Promise<{ readonly answers: Answer<Item>[]; readonly fault: string | undefined }> {
    const own: Answer<Item> = {
      from: this.#here,
      items: instance === undefined || instance === this.#here ? here() : [],
    };
    if (instance === this.#here) return { answers: [own], fault: undefined };
    try {
      const { answers, missing } = await this.parts.instances.ask<Item>(about, question);
      const meant = answers.filter(({ from }) => instance === undefined || from === instance);
      const fault = missing.size > 0 ? `No answer from ${[...missing].join(', ')}.` : undefined;
      return { answers: [own, ...meant], fault };
    } catch (error) {
      return { answers: [own], fault: `The other instances cannot be asked: ${(error as Error).message}` };
    }
  }
}

const listOf = <Item>(item: Item | undefined): Item[] => (item === undefined ? [] : [item]);

const isOfEvent = (one: Evidence): one is EventEvidence => one.kind === 'event';
const isOfConnection = (one: Evidence): one is ConnectionEvidence => one.kind === 'connection';

const remembered = ({
  at,
  type,
  bytes,
  id,
}: NonNullable<EventEvidence['published']>): Partial<EventFacts> => ({
  ...{ at, type: type ?? 'message', id },
  ...(bytes !== undefined && { bytes }),
});
