import { describe, expect, it } from '@jest/globals';
import { LogMirror, type RemoteRange } from '../../../src/sse/backplanes/remote/log-mirror.js';
import type { LogFollower } from '../../../src/sse/hub/backplane.js';
import type { EventLog, LogEntry } from '../../../src/sse/hub/event-log.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import { storedOf } from '../stored-events.js';

const entry = (offset: number, previous = offset - 1): LogEntry => ({
  offset,
  previous,
  at: Date.now(),
  event: storedOf(10),
});
const entriesUpTo = (head: number, after = 0): LogEntry[] =>
  Array.from({ length: head - after }, (_, i) => entry(after + i + 1));
const offsetsOf = (log: EventLog): number[] => [...log.entriesAfter(log.floor)].map(({ offset }) => offset);

/** A server with one log, whose reads are answered when a test says so, and a mirror of it. */
class Trial implements LogFollower {
  server: RemoteRange = { epoch: 'e', floor: 0, head: 0, clearedAt: 0, completed: false, entries: [] };
  isAway = false;
  readonly reads: (Position | undefined)[] = [];
  readonly told: (number | string)[] = [];
  readonly mirror = new LogMirror('a', { count: 100, bytes: Infinity, age: Infinity }, async (known) => {
    this.reads.push(known);
    const { entries, ...rest } = this.server;
    const answer = {
      ...rest,
      entries: known?.epoch === rest.epoch ? entries.filter(({ offset }) => offset > known.offset) : entries,
    };
    await this.delay;
    if (this.isAway) throw new Error('away');
    return answer;
  });
  delay: Promise<void> | undefined;

  async opened(head: number): Promise<this> {
    this.has(entriesUpTo(head));
    await this.mirror.open();
    this.mirror.follow(this);
    this.reads.length = 0;
    return this;
  }

  has(entries: LogEntry[], more: Partial<RemoteRange> = {}): void {
    this.server = { ...this.server, entries, head: entries.at(-1)?.offset ?? this.server.head, ...more };
  }

  appended(it: LogEntry): void {
    this.told.push(it.offset);
  }
  completed(): void {
    this.told.push('completed');
  }
  emptying(): void {
    this.told.push('emptying');
  }
  replaced(log: EventLog): void {
    this.told.push('replaced', ...offsetsOf(log));
  }
}

const trial = (head = 3): Promise<Trial> => new Trial().opened(head);

describe('a mirror', () => {
  it('opens with what the server has, by one read', async () => {
    const { mirror, told } = await trial();
    expect(offsetsOf(mirror.log)).toEqual([1, 2, 3]);
    expect(mirror.log).toMatchObject({ epoch: 'e', floor: 0, head: 3 });
    expect(told).toEqual([]);
  });

  it('takes entries that follow each other, and each of them once', async () => {
    const { mirror, told, reads } = await trial();
    for (const offset of [4, 4, 5, 3, 5, 6]) await mirror.add('e', entry(offset));
    expect({ told, reads }).toEqual({ told: [4, 5, 6], reads: [] });
  });

  it('puts those in order of which one was early, without a read', async () => {
    const { mirror, told, reads } = await trial();
    await Promise.all([6, 5, 4].map((offset) => mirror.add('e', entry(offset))));
    expect({ told, reads }).toEqual({ told: [4, 5, 6], reads: [] });
  });

  it('reads what is missing before an entry, once for all, and says when it was told of', async () => {
    const it = await trial();
    it.has(entriesUpTo(9));
    await Promise.all([7, 8, 9].map((offset) => it.mirror.add('e', entry(offset))));
    expect(it.told).toEqual([4, 5, 6, 7, 8, 9]);
    expect(it.reads).toEqual([{ epoch: 'e', offset: 3 }]);
  });

  it('does not lose what comes while it reads', async () => {
    const it = await trial();
    it.has(entriesUpTo(5));
    let answer!: () => void;
    it.delay = new Promise((resolve) => (answer = resolve));
    const read = it.mirror.resync();
    const late = [it.mirror.add('e', entry(7)), it.mirror.add('e', entry(6))];
    answer();
    await Promise.all([read, ...late]);
    expect(it.told).toEqual([4, 5, 6, 7]);
    expect(it.reads).toHaveLength(1);
  });

  it('goes on where the server has let go of what is missing', async () => {
    const it = await trial();
    it.has([entry(8), entry(9)], { floor: 7 });
    await it.mirror.resync();
    expect(it.told).toEqual(['emptying', 8, 9]);
    expect(it.mirror.log).toMatchObject({ floor: 7, head: 9, size: 2 });
    it.has([], { floor: 12, head: 12 });
    await it.mirror.resync();
    expect(it.mirror.log).toMatchObject({ floor: 12, head: 12, size: 0 });
  });

  it('takes the place of a log whose epoch has ended', async () => {
    const it = await trial();
    const before = it.mirror.log;
    it.has([entry(1), entry(2)], { epoch: 'f' });
    await it.mirror.add('f', entry(2));
    expect(it.told).toEqual(['replaced', 1, 2]);
    expect(it.mirror.log).not.toBe(before);
    await it.mirror.add('f', entry(3));
    await it.mirror.add('e', entry(4));
    expect(it.told).toEqual(['replaced', 1, 2, 3]);
  });

  it('empties its log up to where it was purged, and keeps what came after', async () => {
    const it = await trial();
    await it.mirror.add('e', entry(4));
    await it.mirror.purged('e', 3);
    await it.mirror.purged('e', 3);
    expect(it.told).toEqual([4, 'emptying']);
    expect(it.mirror.log).toMatchObject({ floor: 3, head: 4, size: 1, clearedAt: 3 });
  });

  it('reads where a purge or a completion comes before the entries that it follows', async () => {
    const it = await trial();
    it.has([], { floor: 5, head: 5, clearedAt: 5 });
    await it.mirror.purged('e', 5);
    expect(it.mirror.log).toMatchObject({ floor: 5, head: 5, size: 0, clearedAt: 5 });
    it.has(entriesUpTo(7, 5), { completed: true });
    await it.mirror.completed('e', 7);
    await it.mirror.completed('e', 7);
    expect(it.told).toEqual(['emptying', 6, 7, 'completed']);
  });

  it('finds out by itself when the server is there again', async () => {
    const it = await trial();
    it.isAway = true;
    it.has(entriesUpTo(4));
    await it.mirror.resync();
    expect(it.told).toEqual([]);
    it.isAway = false;
    const isTold = new Promise((resolve) => (it.appended = resolve));
    await isTold;
    expect(it.mirror.log.head).toBe(4);
  });

  it('does not keep those waiting who appended, when it cannot read', async () => {
    const it = await trial();
    it.isAway = true;
    await it.mirror.add('e', entry(9));
    expect(it.told).toEqual([]);
  });

  it('opens with an error when the server is away', async () => {
    const it = new Trial();
    it.isAway = true;
    await expect(it.mirror.open()).rejects.toThrow('away');
  });

  it('tells nothing once it is closed', async () => {
    const it = await trial();
    it.has(entriesUpTo(5));
    const read = it.mirror.resync();
    const early = it.mirror.add('e', entry(9));
    it.mirror.close();
    await Promise.all([read, early, it.mirror.add('e', entry(4)), it.mirror.completed('e', 3)]);
    expect(it.told).toEqual([]);
  });
});
