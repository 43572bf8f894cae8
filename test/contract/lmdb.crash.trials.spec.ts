/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { run } from '../support/process.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { dataOf, openLmdb, rangeOf } from './lmdb.js';

const program = fileURLToPath(new URL('../support/lmdb-process.js', import.meta.url));

interface Acknowledged extends Position {
  readonly n: number;
}

/** A process that has the directory. */
class Holder {
  readonly #ended: Promise<unknown>;

  private constructor(readonly child: ChildProcess) {
    this.#ended = once(child, 'exit');
  }

  static async start(path: string): Promise<Holder> {
    // What LMDB writes to its error output about each transaction that failed is no news here.
    const child = fork(program, [path], { stdio: ['ignore', 'inherit', 'ignore', 'ipc'] });
    const holder = new Holder(child);
    whenTestEnds(() => holder.kill());
    expect(await holder.#answer()).toBe('ready');
    return holder;
  }

  /** What became of it: 'done', or an error's code. */
  async do(command: object): Promise<string> {
    this.child.send(command);
    return (await this.#answer()) as string;
  }

  /** Has it publish numbers, and kills it at once when it has acknowledged so many. */
  async floodAndKill(from: number, count: number): Promise<Acknowledged[]> {
    const acknowledged: Acknowledged[] = [];
    this.child.on('message', (message: Acknowledged) => {
      if (acknowledged.push(message) === count) this.child.kill('SIGKILL');
    });
    this.child.send({ flood: from });
    await this.#ended;
    return acknowledged;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#ended;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.child.once('message', resolve);
      void this.#ended.then(() => reject(new Error('It ended without an answer.')));
    });
  }
}

let path: string;

beforeEach(async () => {
  path = await temporaryFolder();
});

describe('a process that is killed in the middle of publishing', () => {
  it('leaves every acknowledged event, thirty times, and ids that go on', async () => {
    const acknowledged: Acknowledged[] = [];
    const kept = new Map<number, { readonly mark: string; readonly n: number }>();
    let from = 0;
    let head: Position | undefined;
    for (let round = 0; round < 30; round++) {
      const holder = await Holder.start(path);
      acknowledged.push(...(await holder.floodAndKill(from, 1 + round * 7)));

      const backplane = await openLmdb(path);
      const range = await backplane.read('a', settingsOf(), {
        ...(head && { after: head }),
        limit: Infinity,
      });
      await backplane.close();
      // No hole and no half of an entry, and nothing in the place of another.
      expect(range.missing).toBeUndefined();
      const before = [head ?? range.floor, ...range.entries].slice(0, range.entries.length);
      expect(range.entries.map(({ previous }) => previous.mark)).toEqual(before.map(({ mark }) => mark));
      for (const { offset, mark, event } of range.entries)
        kept.set(offset, { mark, n: JSON.parse(event.data!) as number });
      for (const { offset, mark, n } of acknowledged) expect(kept.get(offset)).toEqual({ mark, n });
      // The next one publishes again what this one may not have stored.
      const known = new Set(acknowledged.map(({ n }) => n));
      while (known.has(from)) from++;
      ({ head } = range);
    }
    // Once each, although many were published twice.
    const numbers = Array.from(kept.values(), ({ n }) => n).sort((a, b) => a - b);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.slice(0, from)).toEqual(Array.from({ length: from }, (_, i) => i));
  });
});

describe('a directory that another process has', () => {
  const refusal = expect.objectContaining({
    code: 'BACKPLANE_FAILED',
    message: expect.stringMatching(
      /^The directory \S+ cannot be used .*: another process.* uses it\.$/,
    ) as unknown,
  });

  it('is refused, and free when that process is killed', async () => {
    const holder = await Holder.start(path);
    await expect(openLmdb(path)).rejects.toEqual(refusal);
    expect(await holder.do({ append: 1 })).toBe('done');
    await holder.kill();
    const backplane = await openLmdb(path);
    expect(await dataOf(backplane, 'a')).toEqual(['x']);
  });

  it('is refused without delay when that process is frozen', async () => {
    const holder = await Holder.start(path);
    holder.child.kill('SIGSTOP');
    await expect(openLmdb(path)).rejects.toEqual(refusal);
  });
});

describeWith('prlimit', 'a disk that is full', (prlimit) => {
  const allow = (holder: Holder, bytes: number | 'unlimited') =>
    run(prlimit, ['--pid', String(holder.child.pid), `--fsize=${bytes}:`]);

  it('refuses what it has no room for; the process goes on, and stores again when there is room', async () => {
    const holder = await Holder.start(path);
    await allow(holder, 1_000_000);
    const outcomes: string[] = [];
    for (let n = 0; n < 30; n++) outcomes.push(await holder.do({ append: 50_000 }));
    expect(new Set(outcomes)).toEqual(new Set(['done', 'PUBLISH_REJECTED']));
    const stored = outcomes.filter((outcome) => outcome === 'done').length;
    await allow(holder, 'unlimited');
    expect(await holder.do({ append: 50_000 })).toBe('done');
    await holder.kill();
    const backplane = await openLmdb(path);
    const range = await rangeOf(backplane, 'a');
    expect([range.floor.offset, range.head.offset]).toEqual([0, stored + 1]);
    expect(range.entries.map(({ offset }) => offset)).toEqual(range.entries.map((_, i) => i + 1));
  });

  it('has room again when events are let go of', async () => {
    const holder = await Holder.start(path);
    await allow(holder, 1_000_000);
    const fill = async (): Promise<number> => {
      for (let n = 0; ; n++) if ((await holder.do({ append: 50_000 })) !== 'done') return n;
    };
    const first = await fill();
    expect(await holder.do({ purge: true })).toBe('done');
    // Pages are used again when the transaction after the one that freed them is over.
    while ((await holder.do({ append: 1 })) !== 'done');
    expect(await fill()).toBeGreaterThan(first / 2);
  });

  it.each([10, 1_000, 50_000])(
    'lets go of events of %i bytes, although others go on publishing what there is no room for',
    async (bytes) => {
      const holder = await Holder.start(path);
      await allow(holder, 2_000_000);
      expect(await holder.do({ fill: bytes })).toBe('full');
      expect(await holder.do({ purgeBeside: 2_000_000 })).toBe('done');
      // Many small events are deleted in several steps.
      if (bytes < 50_000) while ((await holder.do({ append: 400_000 })) !== 'done');
      else expect(await holder.do({ append: 400_000 })).toBe('done');
      await holder.kill();
      const backplane = await openLmdb(path);
      expect(await dataOf(backplane, 'a')).toEqual(['x'.repeat(400_000)]);
    },
  );
});

describe('a disk that does not answer', () => {
  it('gives calls their answers in time, and goes on when it does', async () => {
    const backplane: SseBackplane = await openLmdb(path, {}, { publishTimeout: 200 });
    const settings = settingsOf();
    const first = await backplane.append('a', settings, stored(1));
    const follower = await new Listener(backplane, 'a', settings).ready;
    // A transaction that is open keeps all others waiting.
    const other = open({ path, noSubdir: false });
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      void other.transaction(() => (resolve(), new Promise<void>((end) => (release = end))));
    });
    await held;
    const calls = [backplane.append('a', settings, stored(2), 'id')];
    await Promise.resolve().then(() => undefined);
    calls.push(backplane.append('b', settings, stored(3)));
    const outcomes = await Promise.allSettled([...calls, backplane.complete('b', settings)]);
    expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason.code)).toEqual([
      'PUBLISH_UNCERTAIN',
      'PUBLISH_REJECTED',
      'BACKPLANE_AWAY',
    ]);
    release!();
    const found = await backplane.append('a', settings, stored(2), 'id');
    expect(found.offset).toBe(first.offset + 1);
    expect(follower.told).toEqual([found.offset]);
    expect(await dataOf(backplane, 'b')).toEqual([]);
    await other.close();
  });
});
