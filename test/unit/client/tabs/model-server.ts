import { channelsIn, idOf } from '../../../../src/sse/client/channel-position.js';
import type { ChannelsReceiver, Message, Receiver } from '../../../../src/sse/client/transport.js';
import type { Browser, Page, Pipe } from './browser.js';

/** Blocks on their way to a tab before the server waits for it. */
const WINDOW = 4;
/** Milliseconds before a reconnect, at most. */
const RETRY = 400;

interface Stored {
  readonly position: string;
  readonly previous: string;
}

/** What the tests read of an event: where it is, and what comes before it in its log. */
export interface Data extends Stored {
  readonly channel: string;
}

/** The log of a channel. Its positions have an offset and a mark, which says in which life of the log. */
export class Log {
  readonly #events: Stored[] = [];
  #before: string;
  isComplete = false;

  constructor(
    readonly channel: string,
    readonly life: number,
    private readonly keeps: number,
  ) {
    this.#before = `0.${life}`;
  }

  get head(): string {
    return this.#events.at(-1)?.position ?? this.#before;
  }

  append(): void {
    const offset = Number.parseInt(this.head) + 1;
    this.#events.push({ position: `${offset}.${this.life}`, previous: this.head });
    if (this.#events.length > this.keeps) this.#before = this.#events.shift()!.position;
  }

  knows(position: string): boolean {
    return position === this.#before || this.#events.some((event) => event.position === position);
  }

  /** What follows a position, or the gap there. */
  next(
    position: string,
  ): { readonly position: string; readonly event?: string; readonly data: object } | undefined {
    const { channel } = this;
    if (!this.knows(position)) {
      const reason = position.endsWith(`.${this.life}`) ? 'evicted' : 'unknown';
      return { position: this.#before, event: 'gap', data: { channel, reason, position: this.#before } };
    }
    const found = this.#events.find(({ previous }) => previous === position);
    return found && { position: found.position, data: { channel, ...found } };
  }
}

/** A stream, as the server has it. */
class Connection {
  #onTheWay = 0;
  isOpen = true;

  constructor(
    readonly server: ModelServer,
    readonly page: Page,
    readonly cursors: Map<string, string>,
    private readonly pipe: Pipe,
    readonly source: ModelSource,
  ) {
    server.connections.add(this);
    this.begin([...cursors.keys()]);
  }

  /** Says where channels begin. */
  begin(channels: readonly string[]): void {
    const known = channels.filter((channel) => {
      const log = this.server.log(channel);
      if (this.cursors.get(channel) === '') this.cursors.set(channel, log.head);
      return log.knows(this.cursors.get(channel)!);
    });
    if (known.length > 0) this.#send(this.#block('sse-position', {}, known));
    this.pump();
  }

  #block(event: string | undefined, data: object, moved: readonly string[]): Message {
    const { cursors } = this;
    const parts = [...cursors].filter(
      ([channel]) => this.server.kind !== 'channels' || moved.includes(channel),
    );
    const id = this.server.kind === 'stream' ? parts[0]![1] : idOf(parts);
    return { event, id, data: JSON.stringify(data) };
  }

  #send(block: Message): void {
    this.#onTheWay++;
    this.pipe.send(() => this.page.run(() => this.source.arrived(this, block)));
  }

  taken(): void {
    this.#onTheWay--;
    this.pump();
  }

  pump(): void {
    while (this.isOpen && this.#onTheWay < WINDOW) {
      const due = [...this.cursors].flatMap(([channel, position]) => {
        const next = this.server.log(channel).next(position);
        return next ? [{ channel, next }] : [];
      });
      if (due.length === 0) break;
      const { channel, next } = this.server.browser.random.oneOf(due);
      this.cursors.set(channel, next.position);
      this.#send(this.#block(next.event, next.data, [channel]));
    }
    if (this.isOpen && this.#onTheWay === 0 && this.server.isOver(this.cursors)) this.end();
  }

  end(): void {
    if (!this.isOpen) return;
    this.gone();
    this.pipe.send(() => this.page.run(() => this.source.ended(this)));
  }

  gone(): void {
    this.isOpen = false;
    this.server.connections.delete(this);
  }
}

export type Kind = 'stream' | 'streams' | 'channels';

/** A server with a log for each channel: of one, of several that it chooses, or of those that a client names. */
export class ModelServer {
  readonly connections = new Set<Connection>();
  /** How many streams were opened. */
  opened = 0;
  readonly channels: readonly string[];
  readonly #logs: Map<string, Log>;

  constructor(
    readonly browser: Browser,
    readonly kind: Kind,
    readonly keeps: number,
    readonly note: (what: string) => void,
  ) {
    this.channels = kind === 'stream' ? ['a'] : ['a', 'b', 'c'];
    this.#logs = new Map(this.channels.map((name) => [name, new Log(name, 0, keeps)]));
  }

  log(channel: string): Log {
    return this.#logs.get(channel)!;
  }

  publish(channel: string, count: number): void {
    const log = this.log(channel);
    if (log.isComplete) return;
    for (let i = 0; i < count; i++) log.append();
    this.#pump();
  }

  complete(channel: string): void {
    this.log(channel).isComplete = true;
    this.#pump();
  }

  /** Another log takes the place of one that is lost. */
  lose(channel: string, events: number): void {
    const { life, isComplete } = this.log(channel);
    if (isComplete) return;
    this.#logs.set(channel, new Log(channel, life + 1, this.keeps));
    this.publish(channel, events);
  }

  isOver(positions: ReadonlyMap<string, string>): boolean {
    const isDone = ([channel, position]: [string, string]): boolean => {
      const log = this.log(channel);
      return log.isComplete && (position === '' || position === log.head);
    };
    return positions.size > 0 && [...positions].every(isDone);
  }

  forget(page: Page): void {
    for (const connection of this.connections) if (connection.page === page) connection.gone();
  }

  #pump(): void {
    for (const connection of [...this.connections]) connection.pump();
  }
}

/** A transport with a stream of its own, as the plain ones are. */
export class ModelSource {
  #receiver!: Receiver & Partial<Omit<ChannelsReceiver, keyof Receiver>>;
  #connection: Connection | undefined;
  #asked = new Set<string>();
  #changes: 'idle' | 'running' = 'idle';
  #isClosed = false;
  readonly #blocks: (Message | 'end')[] = [];
  #reading: 'idle' | 'waiting' = 'idle';
  readonly #page: Page;

  constructor(private readonly server: ModelServer) {
    this.#page = server.browser.page;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    void Promise.resolve().then(() => this.#connect());
  }

  close(): void {
    this.#isClosed = true;
    const connection = this.#connection;
    this.#onServer(this.server.browser.pipe(), () => connection?.gone());
  }

  channelsChanged(): void {
    if (this.server.kind === 'channels' && this.#connection && this.#changes === 'idle')
      this.#change(this.#connection);
  }

  #onServer(pipe: Pipe, run: () => void): void {
    pipe.send(run);
  }

  #connect(): void {
    if (this.#isClosed) return;
    const position = this.#receiver.position();
    const positions = typeof position === 'string' ? this.#positionsIn(position) : new Map(position);
    this.#asked = new Set(positions.keys());
    this.#changes = 'running';
    const { server } = this;
    const pipe = server.browser.pipe();
    this.#onServer(pipe, () => {
      if (this.#isClosed || this.#page.life === 'gone') return;
      if (server.isOver(positions))
        return pipe.send(() => this.#page.run(() => this.#moved({ kind: 'closed', reason: 'completed' })));
      server.opened++;
      server.note(`${this.#page.name} streams after ${JSON.stringify([...positions])}`);
      pipe.send(() => this.#page.run(() => this.#opened()));
      this.#connection = new Connection(server, this.#page, positions, pipe, this);
    });
  }

  #positionsIn(id: string): Map<string, string> {
    if (this.server.kind === 'stream') return new Map([['a', id]]);
    const named = new Map(channelsIn(id));
    return new Map(this.server.channels.map((channel) => [channel, named.get(channel) ?? '']));
  }

  #moved(state: Parameters<Receiver['moved']>[0]): void {
    if (!this.#isClosed) this.#receiver.moved(state);
  }

  #opened(): void {
    this.#moved({ kind: 'open' });
    this.#changes = 'idle';
    if (this.server.kind !== 'channels' || this.#isClosed) return;
    this.#receiver.receive({ event: 'connection', data: '{"id":"x"}' });
    this.channelsChanged();
  }

  /** Joins and leaves channels of the open stream. */
  #change(connection: Connection): void {
    this.#changes = 'running';
    void Promise.resolve().then(() => {
      if (this.#isClosed) return;
      const wanted = this.#receiver.position() as ReadonlyMap<string, string>;
      const join = [...wanted].filter(([name]) => !this.#asked.has(name));
      const leave = [...this.#asked].filter((name) => !wanted.has(name));
      this.#changes = join.length + leave.length > 0 ? 'running' : 'idle';
      if (this.#changes === 'idle') return;
      const pipe = this.server.browser.pipe();
      this.#onServer(pipe, () => {
        if (!connection.isOpen) return;
        for (const name of leave) connection.cursors.delete(name);
        for (const [name, position] of join) connection.cursors.set(name, position);
        const names = join.map(([name]) => name);
        connection.begin(names);
        const positions = Object.fromEntries(names.map((name) => [name, connection.cursors.get(name)!]));
        pipe.send(() => this.#page.run(() => this.#changed(connection, leave, names, positions)));
      });
    });
  }

  #changed(
    connection: Connection,
    left: readonly string[],
    joined: readonly string[],
    positions: Readonly<Record<string, string>>,
  ): void {
    if (this.#isClosed || connection !== this.#connection) return;
    for (const name of left) this.#asked.delete(name);
    for (const name of joined) this.#asked.add(name);
    if (left.length > 0) this.#receiver.left?.(left);
    this.#receiver.joined?.(joined, positions);
    this.#change(connection);
  }

  // ---- What the server sends

  arrived(connection: Connection, block: Message): void {
    if (connection !== this.#connection) return;
    this.#blocks.push(block);
    this.#read();
  }

  ended(connection: Connection): void {
    if (connection !== this.#connection) return;
    this.#blocks.push('end');
    this.#read();
  }

  #read(): void {
    while (this.#reading === 'idle' && !this.#isClosed && this.#blocks.length > 0) {
      const block = this.#blocks.shift()!;
      if (block === 'end') {
        this.#connection = undefined;
        const wait = this.server.browser.random.between(50, RETRY);
        this.#moved({
          kind: 'reconnecting',
          attempt: 0,
          at: Date.now() + wait,
          error: new Error('It was cut.'),
        });
        setTimeout(() => this.#connect(), wait);
        return;
      }
      this.#receiver.receive(block);
      const connection = this.#connection!;
      this.server.browser.time.after(0, () => connection.taken());
      const room = this.#receiver.room();
      if (!room) continue;
      this.#reading = 'waiting';
      void room.then(() => {
        this.#reading = 'idle';
        this.#read();
      });
    }
  }
}
