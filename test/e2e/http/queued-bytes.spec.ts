import { setImmediate as nextTurn } from 'node:timers/promises';
import { Controller, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { delay, map, merge, range, Subject } from 'rxjs';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { controllerOf, startSseApp } from '../../support/sse-app.js';
import type { SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { LogRecorder } from './log-recorder.js';
import { big, numberOf, numbers, Publisher, ServerSockets } from './stalled.js';

const SIZE = big(0).data.length;

interface StartedApp extends SseApp {
  readonly log: LogRecorder;
  readonly sockets: ServerSockets;
  /** Emits the next event on every plain stream, waits until it is written, and gives its number. */
  emit(): Promise<number>;
}

async function start(sse: SseModuleOptions = {}): Promise<StartedApp> {
  const source = new Subject<ReturnType<typeof big>>();
  const log = new LogRecorder();

  @Controller('stock')
  class StockController {
    @StockSse('plain')
    plain(): unknown {
      return source;
    }
  }
  const app = await startSseApp({
    sse: { heartbeat: 0, history: { count: 1000, bytes: Infinity }, ...sse },
    routes: {
      plain: () => source,
      mixed: (hub) => merge(source, hub.stream('news')),
      late: (hub) => hub.stream('news').pipe(delay(0)),
      held: () => range(0, 1001).pipe(map((i) => (i === 0 ? new Promise(() => undefined) : { data: i }))),
    },
    controllers: [StockController, controllerOf({ roomy: () => source }, { queuedBytes: 30 * SIZE })],
    configure: (nest) => nest.useLogger(log),
  });
  let newest = 0;
  const emit = async (): Promise<number> => {
    source.next(big(++newest));
    await nextTurn();
    return newest;
  };
  return { ...app, log, sockets: new ServerSockets(app), emit };
}

async function stalledClient(
  { url, sockets }: StartedApp,
  path: string,
): Promise<{ client: TestStream; queued: () => number; isGone: () => boolean }> {
  const client = await listen(`${url}/${path}`);
  const socket = sockets.of(client);
  client.pause();
  return { client, queued: () => socket.writableLength, isGone: () => socket.destroyed };
}

describe('What is no hub stream, for a client that does not read', () => {
  it.each(['plain', 'stock/plain', 'mixed'])(
    'waits up to queuedBytes, then the client is disconnected with a warning (/%s)',
    async (path) => {
      const started = await start({ limits: { queuedBytes: 4 * SIZE } });
      const { queued, isGone } = await stalledClient(started, path);
      let most = 0;
      while (!isGone()) {
        await started.emit();
        most = Math.max(most, queued());
      }
      expect(most).toBeGreaterThan(SIZE);
      expect(most).toBeLessThanOrEqual(4 * SIZE + 2 * SIZE);
      const { level, text } = await started.log.until(/does not read/);
      expect([level, text]).toEqual([
        'warn',
        expect.stringMatching(new RegExp(`/${path} .* queuedBytes \\(${4 * SIZE}\\)`)),
      ]);
      expect(started.hub.stats()).toMatchObject({ connections: 0, subscribers: 0 });
    },
  );

  it('is all there when the client reads on before that', async () => {
    const started = await start({ limits: { queuedBytes: 20 * SIZE } });
    const { client, queued } = await stalledClient(started, 'plain');
    let newest = 0;
    while (queued() < 10 * SIZE) newest = await started.emit();
    client.read();
    const events = await client.take(newest);
    expect(events.map(numberOf)).toEqual(numbers(1, newest));
  });

  it('reaches all others meanwhile', async () => {
    const started = await start({ limits: { queuedBytes: 2 * SIZE } });
    const healthy = await listen(`${started.url}/plain`);
    const { isGone } = await stalledClient(started, 'plain');
    let newest = 0;
    while (!isGone()) {
      newest = await started.emit();
      expect(numberOf(await healthy.next())).toBe(newest);
    }
    expect(newest).toBeGreaterThan(2);
    expect(started.hub.stats().connections).toBe(1);
  });

  it('may wait for longer where the route says so', async () => {
    const started = await start({ limits: { queuedBytes: 2 * SIZE } });
    const [strict, roomy] = [await stalledClient(started, 'plain'), await stalledClient(started, 'roomy')];
    while (!strict.isGone()) await started.emit();
    expect(roomy.isGone()).toBe(false);
    let most = 0;
    while (!roomy.isGone()) {
      await started.emit();
      most = Math.max(most, roomy.queued());
    }
    expect(most).toBeGreaterThan(20 * SIZE);
  });

  it('has no limit with Infinity', async () => {
    const started = await start({ limits: { queuedBytes: Infinity } });
    const { queued, isGone } = await stalledClient(started, 'plain');
    while (queued() < 30 * SIZE) await started.emit();
    expect(isGone()).toBe(false);
  });
});

describe('A hub stream whose operator lets go of the pace', () => {
  it('stays within queuedBytes too', async () => {
    const started = await start({ limits: { queuedBytes: 4 * SIZE } });
    const { queued, isGone } = await stalledClient(started, 'late');
    const publisher = new Publisher(started.hub, 'news');
    let most = 0;
    while (!isGone() && publisher.newest < 500) {
      await publisher.publish();
      most = Math.max(most, queued());
    }
    expect(most).toBeLessThanOrEqual(6 * SIZE);
  });
});

describe('Values behind a Promise that does not settle', () => {
  it('are not taken for bytes that a client does not read', async () => {
    const started = await start();
    const answer = fetch(`${started.url}/held`);
    const { level, text } = await started.log.until(/It was disconnected/);
    expect([level, text]).toEqual([
      'warn',
      'A client of /held waits for a Promise that does not settle: 1001 values wait with it, more than 1000. It was disconnected.',
    ]);
    await expect(answer).rejects.toThrow();
  });
});
