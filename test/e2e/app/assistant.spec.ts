import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { SseClient } from '../../support/sse-client.js';
import { bootApp, get, post, type BootedApp } from './booted-app.js';

describe('an answer of the assistant', () => {
  let booted: BootedApp;
  beforeAll(async () => {
    booted = await bootApp();
  });
  afterAll(() => booted.app.close());

  /** @returns its address */
  async function ask(question: string): Promise<string> {
    const { status, body } = await post(`${booted.url}/assistant/answers`, { question });
    expect(status).toBe(202);
    return `${booted.url}/assistant/answers/${(body as { id: string }).id}`;
  }

  it('is given from its beginning to who comes late, is stopped for all, and then nothing follows', async () => {
    const answer = await ask('Why?');
    const early = await SseClient.open(`${answer}/events`);
    await early.until(({ data }) => data === '“Why?” ');
    const late = await SseClient.open(`${answer}/events`);
    await late.until(({ data }) => data === '“Why?” ');
    expect((await fetch(answer, { method: 'DELETE' })).status).toBe(204);
    for (const client of [early, late]) await client.closed;
    expect(early.events.map(({ type }) => type)).toEqual([
      'question',
      ...early.events.slice(1, -1).map(() => 'words'),
      'stopped',
    ]);
    expect(late.events).toEqual(early.events);
    const again = await SseClient.open(`${answer}/events`, { lastEventId: early.lastEventId });
    expect(again.status).toBe(204);
    expect((await fetch(answer, { method: 'DELETE' })).status).toBe(204); // it had ended
  });

  it('says why it has failed', async () => {
    const client = await SseClient.open(`${await ask('Please fail.')}/events`);
    const { type, data } = (await client.rest()).at(-1)!;
    expect([type, data]).toEqual(['failed', 'The model has lost the thread.']);
  });

  it('needs a question, and is known', async () => {
    const { status, body } = await post(`${booted.url}/assistant/answers`, { question: ' ' });
    expect([status, (body as { message: string }).message]).toEqual([400, expect.stringMatching('question')]);
    const unknown = `${booted.url}/assistant/answers/${randomUUID()}`;
    expect((await get(`${unknown}/events`)).status).toBe(404);
    expect((await fetch(unknown, { method: 'DELETE' })).status).toBe(404);
  });
});
