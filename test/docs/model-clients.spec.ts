import * as nodeCrypto from 'node:crypto';
import * as nest from '@nestjs/common';
import type { Type } from '@nestjs/common';
import * as agUi from '@ag-ui/client';
import type { HttpAgent } from '@ag-ui/client';
import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import * as sse from '../../src/index.js';
import * as ai from '../../src/sse/ai/index.js';
import { Feed } from '../e2e/streams/feed.js';
import { answerTo } from '../support/open-stream.js';
import { eventually } from '../support/eventually.js';
import { startSseApp, type SseApp } from '../support/sse-app.js';
import { blockWith } from './guides.js';
import { runBlock } from './run-block.js';

/* The routes of the guide, with the clients that people use for them. */

const packages = {
  '@nestjs/common': nest,
  'nestjs-sse-hub': sse,
  'nestjs-sse-hub/ai': ai,
  'node:crypto': nodeCrypto,
};

/** A model that says what the test says. */
class Model {
  readonly feeds: Feed[] = [];

  async *ask(_request: unknown, _signal: AbortSignal): AsyncGenerator {
    const feed = new Feed();
    this.feeds.push(feed);
    for await (const { data } of feed) yield data;
  }

  async asked(count = 1): Promise<Feed> {
    await eventually(() => this.feeds.length >= count);
    return this.feeds[count - 1]!;
  }
}

const serve = (controller: unknown): Promise<SseApp> =>
  startSseApp({ imports: [ai.ModelRunsModule], controllers: [controller as Type] });

describe('the client of OpenAI', () => {
  type Chunks = AsyncIterable<OpenAI.Chat.ChatCompletionChunk>;

  async function start() {
    const model = new Model();
    const completionChunks = (request: unknown, signal: AbortSignal) => model.ask(request, signal);
    const block = blockWith('ts', 'export class CompletionsController');
    const imports = { ...packages, './model.js': { completionChunks } };
    const app = await serve(runBlock(block, imports).CompletionsController);
    const client = new OpenAI({ apiKey: 'none', baseURL: `${app.url}/v1` });
    const ask = (key: string) =>
      client.chat.completions.create(
        { model: 'any', messages: [{ role: 'user', content: 'Hi' }], stream: true },
        { headers: { 'Idempotency-Key': key } },
      );
    const resume = (key: string) => client.get<Chunks>(`/chat/completions/${key}`, { stream: true });
    return { app, model, ask, resume };
  }

  const word = (content: string): object => ({
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content } }],
  });

  /** The text of an answer, up to its end or to this word. */
  async function textOf(chunks: Chunks, last?: string): Promise<string> {
    let text = '';
    for await (const { choices } of chunks) {
      const content = choices[0]?.delta.content ?? '';
      text += content;
      if (content === last) break;
    }
    return text;
  }

  it('reads an answer to its end, and has the whole by GET when it has left in the middle', async () => {
    const { app, model, ask, resume } = await start();
    const asking = ask('k');
    const feed = await model.asked();
    feed.say(word('One, '));
    const left = await asking;
    expect(await textOf(left, 'One, ')).toBe('One, ');
    left.controller.abort();
    const [again, other] = [await resume('k'), await ask('k')];
    feed.say(word('two.'));
    feed.end();
    expect(await Promise.all([textOf(again), textOf(other)])).toEqual(['One, two.', 'One, two.']);
    expect(model.feeds).toHaveLength(1);
    expect((await answerTo(`${app.url}/v1/chat/completions/k`)).status).toBe(204);
  });

  it('throws where the model fails, in place of an end', async () => {
    const { model, ask } = await start();
    const asking = ask('k');
    const feed = await model.asked();
    feed.say(word('One, '));
    const chunks = await asking;
    await expect(failing(chunks, feed)).rejects.toMatchObject({
      message: expect.stringContaining('Internal server error') as unknown,
      code: 'failed',
      type: 'server_error',
    });
    expect(model.feeds).toHaveLength(1);
  });

  async function failing(chunks: Chunks, feed: Feed): Promise<void> {
    for await (const _ of chunks) feed.fail(new Error('secret'));
  }
});

describe('the client of AG-UI', () => {
  async function start() {
    const model = new Model();
    const runAgent = (request: unknown, signal: AbortSignal) => model.ask(request, signal);
    const block = blockWith('ts', 'export class AgentController');
    const app = await serve(runBlock(block, { ...packages, './agent.js': { runAgent } }).AgentController);
    return { app, model };
  }

  /** An agent as the guide writes it, which belongs to the page of another server. */
  function agentOf({ url }: SseApp): HttpAgent {
    const block = blockWith('ts', 'class ResumingAgent');
    const [code] = block.code.split('const agent =');
    const { ResumingAgent } = runBlock(
      { ...block, code: `${code}export { ResumingAgent };` },
      { '@ag-ui/client': agUi },
    ) as { ResumingAgent: typeof HttpAgent };
    return new ResumingAgent({ url: `${url}/agent`, threadId: 't' });
  }

  const opening = (runId: string): object[] => [
    { type: 'RUN_STARTED', threadId: 't', runId },
    { type: 'TEXT_MESSAGE_START', messageId: 'm', role: 'assistant' },
    { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'One, ' },
  ];
  const closing = (runId: string): object[] => [
    { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'two.' },
    { type: 'TEXT_MESSAGE_END', messageId: 'm' },
    { type: 'RUN_FINISHED', threadId: 't', runId },
  ];
  const textOf = ({ messages }: HttpAgent): unknown => messages.at(-1)?.content;

  it('runs an agent to its end, and another page that connects in the middle has the whole', async () => {
    const { app, model } = await start();
    const [first, second] = [agentOf(app), agentOf(app)];
    const running = first.runAgent({ runId: 'r' });
    const feed = await model.asked();
    for (const event of opening('r')) feed.say(event);
    await eventually(() => textOf(first) === 'One, ');
    const connecting = second.connectAgent();
    await eventually(() => textOf(second) === 'One, ');
    for (const event of closing('r')) feed.say(event);
    feed.end();
    const results = await Promise.all([running, connecting]);
    for (const { newMessages } of results) expect(newMessages).toMatchObject([{ content: 'One, two.' }]);
    expect([textOf(first), textOf(second), model.feeds.length]).toEqual(['One, two.', 'One, two.', 1]);
  });

  it('connects to nothing where nothing runs', async () => {
    const { app } = await start();
    const agent = agentOf(app);
    expect((await agent.connectAgent()).newMessages).toEqual([]);
    expect(agent.isRunning).toBe(false);
  });

  it('is told that the model has failed', async () => {
    const { app, model } = await start();
    const agent = agentOf(app);
    const errors: unknown[] = [];
    agent.subscribe({ onRunErrorEvent: ({ event }) => void errors.push(event) });
    const running = agent.runAgent({ runId: 'r' }).catch((error: unknown) => error);
    const feed = await model.asked();
    for (const event of opening('r')) feed.say(event);
    await eventually(() => textOf(agent) === 'One, ');
    feed.fail(new Error('secret'));
    await running;
    expect(errors).toMatchObject([{ type: 'RUN_ERROR', message: 'Internal server error', code: 'failed' }]);
  });
});
