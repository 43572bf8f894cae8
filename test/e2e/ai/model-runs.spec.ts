import { describe, expect, it } from '@jest/globals';
import { agUi, aiSdk, openAi, type ModelFormat } from '../../../src/sse/ai/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { untilConnections, type SseApp } from '../../support/sse-app.js';
import { answerTo } from '../../support/open-stream.js';
import { describeOnEach } from '../../support/shared-server.js';
import { Model, post, resume, startChat, statusOfPost, statusOfResume, stop } from './model-app.js';

/** The words of an answer, and the types of parts that are none. */
const told = (client: TestStream): string[] =>
  client.events.map(({ text, data }) => {
    if (text === '[DONE]') return text;
    const { type, delta } = data as { type: string; delta?: string };
    return delta ?? type;
  });
const all = async (client: TestStream): Promise<string[]> => {
  await client.ended();
  return told(client);
};
const until = (client: TestStream, word: string): Promise<unknown> =>
  client.until(({ text }) => text.includes(`"${word}"`));

describe('a request of useChat', () => {
  it('is answered 200 with nothing but the parts of the answer', async () => {
    const model = new Model();
    const app = await startChat(model);
    const client = await post(app);
    const feed = await model.asked();
    for (const word of ['one', 'two']) feed.say(word);
    feed.end();
    expect(await all(client)).toEqual(['one', 'two', '[DONE]']);
    expect([client.status, client.headers['x-vercel-ai-ui-message-stream']]).toEqual([200, 'v1']);
    expect(client.raw).not.toContain('event:');
    expect(await client.ended()).toBe('ended');
  });

  it('stops the run of another message, and for a message that is known gives its own run', async () => {
    const model = new Model();
    const app = await startChat(model);
    const first = await post(app);
    (await model.asked()).say('one');
    await until(first, 'one');
    const second = await post(app, { message: 'another' });
    expect(await all(first)).toEqual(['one', 'abort']);
    await eventually(() => model.answers[0]!.signal.aborted);
    const feed = await model.asked(2);
    const again = await post(app);
    expect(model.answers).toHaveLength(2);
    expect(await all(again)).toEqual(['one', 'abort']);
    feed.end();
    expect(await all(second)).toEqual(['[DONE]']);
  });

  it('to answer once more joins a run, and begins a new one when that has ended', async () => {
    const model = new Model();
    const app = await startChat(model);
    const again = { trigger: 'regenerate-message' };
    const [first, joined] = [await post(app, again), await post(app, again)];
    (await model.asked()).end();
    for (const client of [first, joined]) expect(await all(client)).toEqual(['[DONE]']);
    const second = await post(app, again);
    const feed = await model.asked(2);
    feed.say('two');
    feed.end();
    expect(await all(second)).toEqual(['two', '[DONE]']);
    expect(model.answers).toHaveLength(2);
  });

  it('is refused with 400 where it is no such request, and with 503 where there are too many streams', async () => {
    const model = new Model();
    const app = await startChat(model, { sse: { limits: { connections: 1 } } });
    expect((await answerTo(`${app.url}/chat`, { method: 'POST' })).status).toBe(400);
    const long = 'x'.repeat(190);
    for (const chat of ['', long, '\ud800']) expect(await statusOfPost(app, { chat })).toBe(400);
    expect((await answerTo(`${app.url}/chat/${long}/stream`)).status).toBe(400);
    expect((await answerTo(`${app.url}/chat/${long}/stop`, { method: 'POST' })).status).toBe(400);
    const running = await post(app);
    await untilConnections(app.hub, 1);
    for (let i = 0; i < 3; i++) expect(await statusOfPost(app, { message: 'another' })).toBe(503);
    expect(await statusOfResume(app)).toBe(503);
    expect([running.status, model.answers.length]).toEqual([200, 1]);
  });
});

describe('a client that comes back', () => {
  it('is answered 204 where nothing runs, and when the run has ended', async () => {
    const model = new Model();
    const app = await startChat(model);
    expect(await statusOfResume(app)).toBe(204);
    const client = await post(app);
    (await model.asked()).end();
    await client.ended();
    expect(await statusOfResume(app)).toBe(204);
  });

  it('is answered 204 where the process that has claimed the run ended before it began', async () => {
    const model = new Model();
    const app = await startChat(model);
    const claim = { run: 'dead', key: 'other', state: 'begun', at: 0, stopped: { data: '' } };
    await app.hub.publish('model-runs/c', { data: claim });
    expect([await statusOfResume(app), await stop(app)]).toEqual([204, 204]);
    const client = await post(app);
    (await model.asked()).end();
    expect(await all(client)).toEqual(['[DONE]']);
  });

  it('waits for the beginning of a run that another instance has just claimed', async () => {
    const model = new Model();
    const app = await startChat(model);
    const [posted, resumed] = await Promise.all([post(app), resume(app)]);
    (await model.asked()).end();
    expect(await all(posted)).toEqual(['[DONE]']);
    // It came before the request, or after.
    expect(resumed.status === 204 ? ['[DONE]'] : await all(resumed)).toEqual(['[DONE]']);
  });
});

describe('a run', () => {
  it('has its last event where it is stopped, although its model says more in that moment', async () => {
    const model = new Model();
    const app = await startChat(model);
    const { hub } = app;
    const client = await post(app);
    const feed = await model.asked();
    const complete = hub.complete.bind(hub);
    hub.complete = async (channel) => {
      feed.say('late');
      await eventually(
        async () => (await hub.history(channel, { limit: 1 })).events[0]?.comment === undefined,
      );
      await complete(channel);
    };
    expect(await stop(app)).toBe(204);
    expect(await all(client)).toEqual(['abort']);
    expect(await statusOfResume(app)).toBe(204);
    expect(await all(await post(app))).toEqual(['abort']);
  });

  it('can be found and stopped where "historyBytes" has emptied its log', async () => {
    const model = new Model();
    const app = await startChat(model, { sse: { limits: { historyBytes: 20_000 } } });
    const client = await post(app);
    await model.asked();
    await app.hub.publish('other', { data: 'x'.repeat(19_900) });
    expect((await app.hub.history('model-runs/c')).events).toEqual([]);
    expect(await stop(app)).toBe(204);
    expect(await all(client)).toEqual(['abort']);
    await eventually(() => model.answers[0]!.signal.aborted);
  });

  it.each<[string, ModelFormat, object]>([
    ['aiSdk', aiSdk, { type: 'error', errorText: 'Internal server error' }],
    [
      'openAi',
      openAi,
      { error: expect.objectContaining({ message: 'Internal server error', code: 'failed' }) },
    ],
    ['agUi', agUi, { type: 'RUN_ERROR', message: 'Internal server error', code: 'failed' }],
  ])('ends with an error of its format where its model fails: %s', (_, { plain }, data) => {
    expect(plain.error({ reason: 'failed', message: 'Internal server error' })).toEqual({ data });
  });
});

describeOnEach('a run of two instances', (shared) => {
  const startTwo = async (model: Model): Promise<[one: SseApp, other: SseApp]> => {
    const options = { sse: { backplane: shared() } };
    return [await startChat(model, options), await startChat(model, options)];
  };

  it('is one however often it is asked for, on whichever, also when that has ended', async () => {
    const model = new Model();
    const apps = await startTwo(model);
    const clients = await Promise.all([0, 1, 0, 1].map((i) => post(apps[i]!)));
    const feed = await model.asked();
    feed.say('one');
    await until(clients[0]!, 'one');
    clients.push(await post(apps[1]));
    feed.end();
    clients.push(await post(apps[0]));
    await clients[0]!.ended();
    clients.push(await post(apps[1]));
    for (const client of clients) expect(await all(client)).toEqual(['one', '[DONE]']);
    expect(model.answers).toHaveLength(1);
  });

  it('is given from its start, each time, on either, whatever position the client sends', async () => {
    const model = new Model();
    const [one, other] = await startTwo(model);
    const first = await post(one);
    const early = await resume(other); // the model is silent yet
    const feed = await model.asked();
    feed.say('one');
    await until(first, 'one');
    first.drop();
    const clients = [early, await resume(one), await resume(other), await resume(other, first.lastEventId)];
    feed.say('two');
    feed.end();
    for (const client of clients) expect(await all(client)).toEqual(['one', 'two', '[DONE]']);
  });

  it('is stopped on whichever instance it is, although its model waits, and its streams say so', async () => {
    const model = new Model();
    const [one, other] = await startTwo(model);
    const clients = [await post(one), await resume(other)];
    (await model.asked()).say('one');
    await until(clients[0]!, 'one');
    expect(await stop(other)).toBe(204);
    for (const client of clients) expect(await all(client)).toEqual(['one', 'abort']);
    await eventually(() => model.answers[0]!.signal.aborted);
    expect([await statusOfResume(one), await stop(one)]).toEqual([204, 204]);
  });

  it('ends with an error where its model fails, or its instance closes', async () => {
    const model = new Model();
    const [one, other] = await startTwo(model);
    const failed = await post(one);
    const feed = await model.asked();
    feed.say('one');
    await until(failed, 'one');
    feed.fail(new Error('secret'));
    expect(await all(failed)).toEqual(['one', 'error']);
    expect(failed.events.at(-1)!.text).toBe('{"type":"error","errorText":"Internal server error"}');
    const closing = [await post(one, { message: 'n' }), await resume(other)];
    await one.close();
    for (const client of closing) expect(await all(client)).toEqual(['error']);
    expect(await statusOfResume(other)).toBe(204);
  });

  it('is cut for clients of another instance that closes, and goes on', async () => {
    const model = new Model();
    const [one, other] = await startTwo(model);
    const there = await post(one);
    const cut = await resume(other);
    const feed = await model.asked();
    feed.say('one');
    await until(cut, 'one');
    await other.close();
    expect(await cut.ended()).toBe('broken');
    feed.end();
    expect(await all(there)).toEqual(['one', '[DONE]']);
  });
});
