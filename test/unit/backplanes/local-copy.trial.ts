import type { CopyMemory } from '../../../src/sse/backplanes/common/copy-memory.js';
import { LocalCopy } from '../../../src/sse/backplanes/common/local-copy.js';
import type { ReceivedEntry, RemoteRange } from '../../../src/sse/backplanes/common/remote-logs.js';
import type { LogFollower } from '../../../src/sse/log/backplane.js';
import type { EventLog, LogEntry } from '../../../src/sse/log/event-log.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import type { HistoryOptions } from '../../../src/sse/sse.options.js';
import { storedOf } from '../stored-events.js';

export const at = (offset: number, log = 'a'): Position => ({ offset, mark: `${log}${offset}` });
const isSame = (one: Position, other: Position): boolean =>
  one.offset === other.offset && one.mark === other.mark;
export const offsetsOf = (log: EventLog): number[] =>
  [...log.entriesAfter(log.floor.offset)].map(({ offset }) => offset);

/** A log on a server. Its positions have its name in their marks, which no other log has. */
export class ServerLog {
  floor: Position;
  head: Position;
  clearedAt = 0;
  completed = false;
  entries: LogEntry[] = [];
  /** Positions of nothing yet that stand for its beginning. */
  begins: Position[] = [];

  constructor(
    readonly name: string,
    head = 0,
  ) {
    this.floor = this.head = at(0, name);
    this.grow(head);
  }

  grow(count: number): void {
    for (let i = 0; i < count; i++) {
      const position = at(this.head.offset + 1, this.name);
      this.entries.push({ ...position, previous: this.head, at: Date.now(), event: storedOf(10) });
      this.head = position;
    }
  }

  trim(floor: number): void {
    this.entries = this.entries.filter(({ offset }) => offset > floor);
    this.floor = at(floor, this.name);
  }

  purge(): void {
    this.trim(this.head.offset);
    this.clearedAt = this.head.offset;
  }

  get isAbsent(): boolean {
    return this.head.offset === 0 && !this.completed;
  }

  read(known: Position | undefined, asked: readonly Position[]): RemoteRange {
    const { floor, head, clearedAt, completed } = this;
    const since = known && this.#find(known);
    const start = since?.offset ?? 0;
    const entries = this.entries.filter(({ offset }) => offset > start);
    const begins = asked.filter((position) => this.begins.some((begin) => isSame(begin, position)));
    return { floor, head, clearedAt, completed, entries, since, begins };
  }

  #find(known: Position): Position | undefined {
    if ([this.floor, ...this.entries].some((held) => isSame(held, known))) return known;
    const isBegin = this.floor.offset === 0 && this.begins.some((begin) => isSame(begin, known));
    return isBegin ? (this.isAbsent ? known : this.floor) : undefined;
  }
}

/** A server whose reads are answered when a test says so, and a copy of its log. */
export class Trial implements LogFollower {
  server: ServerLog;
  isAway = false;
  delay: Promise<void> | undefined;
  readonly reads: (Position | undefined)[] = [];
  readonly told: (number | string)[] = [];
  readonly copy: LocalCopy;

  constructor(head: number, limits: HistoryOptions = {}, memory?: CopyMemory) {
    this.server = new ServerLog('a', head);
    this.copy = new LocalCopy(
      { count: 100, bytes: Infinity, age: Infinity, ...limits },
      {
        read: async (known, asked) => {
          this.reads.push(known);
          const answer = this.server.read(known, asked);
          await this.delay;
          if (this.isAway) throw new Error('away');
          return answer;
        },
        noticesArrived: () => this.noticesArrived(),
      },
      memory,
    );
  }

  async open(): Promise<this> {
    await this.copy.catchUp();
    this.copy.follow(this);
    this.reads.length = 0;
    return this;
  }

  /** Notices that are on their way are told then. */
  async noticesArrived(): Promise<void> {}

  /** The next read is answered when the result is called. */
  hold(): () => void {
    let release!: () => void;
    this.delay = new Promise((resolve) => (release = resolve));
    return () => {
      this.delay = undefined;
      release();
    };
  }

  add(offset: number, log = 'a', known?: Position): Promise<void> {
    return this.copy.add(entry(offset, log, known));
  }

  appended({ offset }: LogEntry): void {
    this.told.push(offset);
  }
  completed(): void {
    this.told.push('completed');
  }
  moved(): void {
    this.told.push('moved');
  }
  leaving(): void {
    this.told.push('leaving');
  }
  replaced(log: EventLog): void {
    this.told.push('replaced', ...offsetsOf(log));
  }
}

export function entry(offset: number, log = 'a', known = at(offset - 1, log)): ReceivedEntry {
  return { ...at(offset, log), previous: offset - 1, known, at: Date.now(), event: storedOf(10) };
}

export const trial = (head = 3, limits?: HistoryOptions): Promise<Trial> => new Trial(head, limits).open();
