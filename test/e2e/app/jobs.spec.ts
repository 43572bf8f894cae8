import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { SseError } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startDemo } from '../../support/process.js';
import { listen } from '../../support/open-stream.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { bootApp, get, post, type BootedApp } from './booted-app.js';

/** Starts an import. @returns its address */
async function start(url: string, file: string): Promise<string> {
  const { status, body } = await post(`${url}/jobs/imports`, { file });
  expect(status).toBe(202);
  return `${url}/jobs/imports/${(body as { id: string }).id}`;
}

const follow = (job: string, lastEventId = '') => listen(`${job}/events`, { lastEventId });

describe('imports', () => {
  let booted: BootedApp;
  beforeAll(async () => {
    booted = await bootApp();
  });
  afterAll(() => booted.app.close());

  it('tells its progress to the end, to late clients the newest, and then that nothing follows', async () => {
    const job = await start(booted.url, 'customers.csv');
    const events = await (await follow(job)).rest();
    const end = { type: 'done', data: { file: 'customers.csv', rows: 500, total: 500 } };
    expect(events.at(-1)).toMatchObject(end);
    const rows = events.map(({ data }) => data.rows);
    expect(rows).toEqual([...rows].sort((one, other) => one - other));

    expect(await (await follow(job)).rest()).toMatchObject([end]);
    await expect(follow(job, events.at(-1)!.id)).rejects.toMatchObject({ status: 204 });
  });

  it('says why it has failed', async () => {
    const events = await (await follow(await start(booted.url, 'broken.csv'))).rest();
    expect(events.at(-1)).toMatchObject({
      type: 'failed',
      data: { file: 'broken.csv', rows: 200, total: 1_000, reason: 'Row 240 has no price.' },
    });
  });

  it('can be cancelled, and nothing is imported after that', async () => {
    const job = await start(booted.url, 'orders.csv');
    const reader = await follow(job);
    await reader.take(2);
    expect((await fetch(job, { method: 'DELETE' })).status).toBe(204);
    const [last] = (await reader.rest()).slice(-1);
    expect(last).toMatchObject({ type: 'cancelled', data: { total: 30_000 } });
    expect(await (await follow(job)).rest()).toEqual([last]);
  });

  it('go on where their progress could not be stored for a moment', async () => {
    const { hub } = booted;
    const publish = hub.publish.bind(hub) as (...args: unknown[]) => Promise<string>;
    let failures = 0;
    const failing = (channel: string, ...more: unknown[]): Promise<string> => {
      const isProgress = /^jobs\/imports\/./.test(channel) && JSON.stringify(more).includes('"rows":100');
      if (!isProgress || failures++ > 0) return publish(channel, ...more);
      return Promise.reject(new SseError('PUBLISH_REJECTED', 'Not now.'));
    };
    hub.publish = failing as typeof hub.publish;
    const events = await (await follow(await start(booted.url, 'customers.csv'))).rest();
    hub.publish = publish as typeof hub.publish;
    expect(events.at(-1)).toMatchObject({ type: 'done', data: { rows: 500 } });
    expect(failures).toBe(2);
  });

  it('are not cancelled when they have ended, and each once', async () => {
    const ended = await start(booted.url, 'broken.csv');
    await (await follow(ended)).rest();
    const running = await start(booted.url, 'orders.csv');
    for (const job of [ended, ended, running, running])
      expect((await fetch(job, { method: 'DELETE' })).status).toBe(204);
    const { events } = await booted.hub.history('jobs/imports', { limit: 3 });
    expect(events.map(({ type }) => type)).toEqual(['start', 'start', 'cancel']);
  });

  it('refuses what is no file and no import', async () => {
    const { status, body } = await post(`${booted.url}/jobs/imports`, { file: 'toString' });
    expect([status, (body as { message: string }).message]).toEqual([
      400,
      expect.stringMatching('customers.csv'),
    ]);
    const unknown = `${booted.url}/jobs/imports/${randomUUID()}`;
    expect((await get(`${unknown}/events`)).status).toBe(404);
    expect((await fetch(unknown, { method: 'DELETE' })).status).toBe(404);
    expect((await get(`${booted.url}/jobs/imports/7/events`)).status).toBe(400);
  });
});

describe('an import of a server that is killed', () => {
  it('goes on with lmdb where it was, and its client with it', async () => {
    const env = { SSE_BACKPLANE: 'lmdb', SSE_DATA_DIR: await temporaryFolder() };
    const killed = await startDemo(env);
    whenTestEnds(() => killed.stop('SIGKILL'));
    const job = await start(killed.url, 'orders.csv');
    const seen = (await (await follow(job)).take(3)).at(-1)!;
    await killed.stop('SIGKILL');

    const again = await startDemo({ ...env, PORT: new URL(killed.url).port });
    whenTestEnds(() => again.stop('SIGKILL'));
    const reader = await follow(job, seen.id);
    const { rows } = seen.data as { rows: number };
    // It may have imported more in between: what a client has missed comes first.
    for (const batch of [1, 2]) expect((await reader.next()).data).toMatchObject({ rows: rows + batch * 50 });
  });
});
