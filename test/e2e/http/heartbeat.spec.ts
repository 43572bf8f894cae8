import { ConflictException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { controllerOf, startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { eventually } from '../../support/eventually.js';
import { answerTo, listen } from '../../support/open-stream.js';

const HEARTBEAT = 60;
/** A silence that is longer than any test. */
const LONG = 600_000;

const heartbeats = ({ comments }: TestStream): number => comments.filter((comment) => comment === '').length;
const untilHeartbeat = (client: TestStream): Promise<unknown> => client.untilComment('');

const routes: Record<string, Route> = { news: (hub) => hub.stream('news'), plain: () => NEVER };

const silent = (heartbeat: number, ofRoute?: number): Promise<SseApp> =>
  startSseApp({
    sse: { heartbeat },
    routes,
    ...(ofRoute !== undefined && { routeOptions: { heartbeat: ofRoute } }),
  });

describe('The heartbeat', () => {
  it.each(['news', 'plain'])(
    'is a comment that comes again and again while a stream is silent (%s)',
    async (path) => {
      const { url } = await silent(HEARTBEAT);
      const begin = performance.now();
      const client = await listen(`${url}/${path}`);
      for (let beats = 1; beats <= 3; beats++) {
        await untilHeartbeat(client);
        expect(performance.now() - begin).toBeGreaterThanOrEqual(beats * HEARTBEAT);
      }
      expect(client.events).toEqual([]);
    },
  );

  it.each([
    ['in milliseconds', {}, ['heartbeat 15000']],
    ['also without history', { history: 0 as const }, ['heartbeat 15000']],
    ['and nothing where there is none', { heartbeat: 0 }, []],
  ])('is announced in the first block, %s', async (_, sse, expected) => {
    const { url } = await startSseApp({ sse, routes });
    const client = await listen(`${url}/news`);
    await eventually(() => blocksOf(client).length > 0);
    expect(blocksOf(client)[0]!.comments).toEqual(expected);
  });

  it('does not come to a stream that is busy', async () => {
    const silence = 2_000; // much longer than this process ever stands still
    const { hub, url } = await silent(silence);
    const [busy, idle] = await Promise.all([listen(`${url}/news`), listen(`${url}/plain`)]);
    const feeding = setInterval(() => void hub.publish('news', { data: 'x' }), 10);
    whenTestEnds(() => {
      clearInterval(feeding);
    });
    await untilHeartbeat(idle);
    await untilHeartbeat(idle);
    clearInterval(feeding);
    expect(heartbeats(busy)).toBe(0);
    await untilHeartbeat(busy);
  });

  it('waits its full time after each event', async () => {
    const { hub, url } = await silent(HEARTBEAT);
    const client = await listen(`${url}/news`);
    for (let round = 0; round < 3; round++) {
      const before = heartbeats(client);
      const begin = performance.now();
      await hub.publish('news', { data: String(round) });
      await client.next();
      if (heartbeats(client) > before) continue; // one was under way already
      await eventually(() => heartbeats(client) > before);
      expect(performance.now() - begin).toBeGreaterThanOrEqual(HEARTBEAT);
    }
  });

  it('is off with 0', async () => {
    const [off, on] = [await silent(0), await silent(HEARTBEAT)];
    const quiet = await listen(`${off.url}/news`);
    const other = await listen(`${on.url}/news`);
    for (let beats = 0; beats < 4; beats++) await untilHeartbeat(other);
    expect(heartbeats(quiet)).toBe(0);
  });

  it('is what the route says, before what the module says', async () => {
    const [eager, off] = [await silent(LONG, HEARTBEAT), await silent(HEARTBEAT, 0)];
    const [often, never] = [await listen(`${eager.url}/news`), await listen(`${off.url}/news`)];
    for (let beats = 0; beats < 4; beats++) await untilHeartbeat(often);
    expect(heartbeats(never)).toBe(0);
  });

  it('comes to each stream at its own time', async () => {
    const quick = controllerOf({ quick: () => NEVER }, { heartbeat: HEARTBEAT });
    const { url } = await startSseApp({ sse: { heartbeat: LONG }, routes, controllers: [quick] });
    const [slow, often] = [await listen(`${url}/news`), await listen(`${url}/quick`)];
    for (let beats = 0; beats < 3; beats++) await untilHeartbeat(often);
    expect(heartbeats(slow)).toBe(0);
  });

  it('is the position, in place of a comment, when the stream has hidden events', async () => {
    const wanted: Route = (hub) => hub.stream('news', { types: ['wanted'] });
    const { hub, url } = await startSseApp({ sse: { heartbeat: HEARTBEAT }, routes: { wanted } });
    const client = await listen(`${url}/wanted`);
    await hub.publish('news', { type: 'wanted', data: 'x' });
    await client.next();
    const hidden = await hub.publish('news', { type: 'hidden', data: 'x' });
    await client.untilId(hidden);
    expect(blocksOf(client).at(-1)!.raw).toBe(`id: ${hidden}\nevent: sse-position\ndata: {}`);
  });

  it('is the position after a comment: not all clients store the id of a block without data', async () => {
    const { hub, url } = await silent(HEARTBEAT);
    const client = await listen(`${url}/news`);
    await hub.publish('news', { data: 'x' });
    await client.next();
    const last = await hub.publish('news', { comment: 'still working' });
    const told = `id: ${last}\nevent: sse-position\ndata: {}`;
    await eventually(() => blocksOf(client).some(({ raw }) => raw === told));
  });

  it('goes on for the clients that stay when others leave', async () => {
    const { url } = await silent(HEARTBEAT);
    const [first, stays, last] = await Promise.all([0, 1, 2].map(() => listen(`${url}/news`)));
    await Promise.all([first!, stays!, last!].map(untilHeartbeat));
    first!.drop('fin');
    last!.drop();
    await untilHeartbeat(stays!);
    await untilHeartbeat(stays!);
  });

  it('does not send the head of a stream whose method still works', async () => {
    let fail: (error: Error) => void;
    const slow: Route = () => new Promise((_, reject) => (fail = reject));
    const { url } = await startSseApp({ sse: { heartbeat: HEARTBEAT }, routes: { slow, ...routes } });
    const waiting = answerTo(`${url}/slow`);
    const other = await listen(`${url}/news`);
    for (let beats = 0; beats < 3; beats++) await untilHeartbeat(other);
    fail!(new ConflictException());
    expect((await waiting).status).toBe(409);
  });
});
