import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { SseHub } from '../../../src/sse/index.js';
import { answerTo, listen } from '../../support/open-stream.js';
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
    const early = await listen(`${answer}/events`);
    await early.until(({ text }) => text === '“Why?” ');
    const late = await listen(`${answer}/events`);
    await late.until(({ text }) => text === '“Why?” ');
    expect((await fetch(answer, { method: 'DELETE' })).status).toBe(204);
    for (const client of [early, late]) await client.ended();
    expect(early.events.map(({ type }) => type)).toEqual([
      'question',
      ...early.events.slice(1, -1).map(() => 'words'),
      'stopped',
    ]);
    expect(late.events).toEqual(early.events);
    const again = await answerTo(`${answer}/events`, { lastEventId: early.lastEventId });
    expect(again.status).toBe(204);
    expect((await fetch(answer, { method: 'DELETE' })).status).toBe(204); // it had ended
  });

  it('has no word after its stop, however soon the model says one', async () => {
    const hub = booted.app.get(SseHub);
    const answer = await ask('Why?');
    const publish = hub.publish.bind(hub);
    const spy = jest.spyOn(hub, 'publish').mockImplementation(async (channel, event) => {
      const id = await publish(channel, event);
      const late = { type: 'words', data: 'late' };
      if (event.type === 'stopped') await publish(channel, late).catch(() => undefined);
      return id;
    });
    const client = await listen(`${answer}/events`);
    await client.until('words');
    expect((await fetch(answer, { method: 'DELETE' })).status).toBe(204);
    spy.mockRestore();
    await client.ended();
    expect(client.events.at(-1)!.type).toBe('stopped');
  });

  it('says why it has failed', async () => {
    const client = await listen(`${await ask('Please fail.')}/events`);
    const last = (await client.rest()).at(-1);
    expect(last).toMatchObject({ type: 'failed', text: 'The model has lost the thread.' });
  });

  it('needs a question, and is known', async () => {
    const { status, body } = await post(`${booted.url}/assistant/answers`, { question: ' ' });
    expect([status, (body as { message: string }).message]).toEqual([400, expect.stringMatching('question')]);
    const unknown = `${booted.url}/assistant/answers/${randomUUID()}`;
    expect((await get(`${unknown}/events`)).status).toBe(404);
    expect((await fetch(unknown, { method: 'DELETE' })).status).toBe(404);
  });
});
