import { Injectable, type Type } from '@nestjs/common';
import { map } from 'rxjs';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { EventLog, SseSnapshot, type Position } from '../../../src/sse/index.js';
import type {
  BackplaneFactory,
  SnapshotOf,
  SnapshotRequest,
  SseHub,
  SseModuleOptions,
} from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';

export type Tell = (request: SnapshotRequest) => SnapshotOf | Promise<SnapshotOf>;

/** A provider that tells the state of the channels of a pattern. */
export function stateOf(pattern: string, tell: Tell): Type {
  @Injectable()
  class Board {
    @SseSnapshot(pattern)
    tell(request: SnapshotRequest): SnapshotOf | Promise<SnapshotOf> {
      return tell(request);
    }
  }
  return Board;
}

/** What an application keeps: the texts of a channel, and the event that brought the newest. */
export class Texts {
  texts: string[] = [];
  after: string | undefined;
  calls = 0;

  constructor(readonly channel: string) {}

  /** Publishes the texts one after the other. */
  async add(hub: SseHub, ...texts: string[]): Promise<string> {
    for (const data of texts) {
      this.after = await hub.publish(this.channel, { data });
      this.texts.push(data);
    }
    return this.after!;
  }

  /** The state with its position. */
  tell = (): SnapshotOf<string[]> => {
    this.calls++;
    return { state: [...this.texts], after: this.after };
  };
}

/** Answers when the test says so. */
export class Held {
  /** One for each call that waits. */
  readonly calls: { answer: () => void; fail: (error: unknown) => void }[] = [];
  count = 0;

  constructor(private readonly tell: Tell) {}

  /** What is told is as it was when it was asked for. */
  ask: Tell = (request) => {
    this.count++;
    const answer = this.tell(request);
    return new Promise<SnapshotOf>((resolve, reject) => {
      this.calls.push({ answer: () => resolve(answer), fail: reject });
    });
  };

  next(): { answer: () => void; fail: (error: unknown) => void } {
    return this.calls.shift()!;
  }
}

/** The texts that a client has in the end: a snapshot's, and those that came after it. */
export function textsOf(events: readonly TestEvent[]): string[] {
  let texts: string[] = [];
  for (const { type, data, text } of events) {
    if (type === 'snapshot') texts = (data as { state: string[] }).state;
    else if (type === 'message') texts = [...texts, text];
  }
  return texts;
}

/** Events in short: `gap:evicted`, `snapshot:1,2`, `3`. */
export function short(events: readonly TestEvent[]): string[] {
  return events.map(({ type, data, text }) => {
    if (type === 'gap') return `gap:${(data as { reason: string }).reason}`;
    if (type === 'snapshot') return `snapshot:${String((data as { state: unknown }).state)}`;
    return type === 'message' ? text : `${type}:${text}`;
  });
}

/** A backplane that loses a channel's log when the test says so, and begins another. */
export class LosesLog {
  #lose: (() => void) | undefined;
  #log: EventLog | undefined;
  /** Where the newest log begins, once one was lost. */
  begin: Position = { offset: 0, mark: 'first' };
  #lost = 0;

  constructor(private readonly channel: string) {}

  lose(): void {
    this.#lose!();
  }

  readonly backplane: BackplaneFactory = (limits) => {
    const stored = new MemoryBackplane(limits);
    const open = stored.follow.bind(stored);
    const follow: typeof open = async (channel, settings, follower) => {
      let log = channel === this.channel ? this.#log : undefined;
      const followed = await open(channel, settings, {
        appended: (entry) => {
          const { offset, mark, at, event } = entry;
          log?.push({ offset, mark, previous: log.head, at, event });
          follower.appended(entry);
        },
        completed: () => follower.completed(),
        moved: () => follower.moved(),
        leaving: () => follower.leaving(),
        replaced: (other) => follower.replaced(other),
      });
      if (channel === this.channel) {
        this.#lose = () => {
          this.begin = { offset: 0, mark: `another${++this.#lost}` };
          log = this.#log = new EventLog(this.begin, followed.log.limits);
          follower.replaced(log);
        };
      }
      return log ? { ...followed, log } : followed;
    };
    return { backplane: Object.assign(stored, { follow }) };
  };
}

const routes: Record<string, Route> = {
  events: (hub) => hub.stream('board/a'),
  piped: (hub) => hub.stream('board/a').pipe(map((event) => ({ ...event }))),
  both: (hub) => hub.stream(['board/a', 'news']),
};

/** An app with a board, and what tells its state. */
export function start(tell: Tell, options: SseAppOptions = {}): Promise<SseApp> {
  return startSseApp({ routes, providers: [stateOf('board/:id', tell)], ...options });
}

/** An app whose board tells its texts at once. */
export async function startBoard(
  sse: SseModuleOptions = {},
  options: SseAppOptions = {},
): Promise<SseApp & { board: Texts }> {
  const board = new Texts('board/a');
  return { ...(await start(board.tell, { sse, ...options })), board };
}

/** Lets a call come to the method, and gives it. */
export async function called(held: Held): Promise<ReturnType<Held['next']>> {
  await eventually(() => held.calls.length > 0);
  return held.next();
}
