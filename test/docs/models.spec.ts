import * as nodeCrypto from 'node:crypto';
import * as nest from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import * as aiSdk from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import * as sse from '../../src/index.js';
import * as ai from '../../src/sse/ai/index.js';
import type { TestStream } from '../../src/sse/testing/index.js';
import { startSseApp, type SseApp } from '../support/sse-app.js';
import { answerTo, listen } from '../support/open-stream.js';
import { blockWith } from './guides.js';
import { runBlock } from './run-block.js';

const packages = {
  '@nestjs/common': nest,
  'nestjs-sse-hub': sse,
  'nestjs-sse-hub/ai': ai,
  'node:crypto': nodeCrypto,
};

const serve = (controller: unknown): Promise<SseApp> =>
  startSseApp({ imports: [ai.ModelRunsModule], controllers: [controller as Type] });

const post = (url: string, body: object, headers: Record<string, string> = {}): Promise<TestStream> =>
  listen(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const allOf = async (client: TestStream): Promise<string[]> => (await client.rest()).map(({ text }) => text);

describe('the guide’s chat', () => {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  };
  /** The SDK itself, with a model that needs no key. */
  const sdk = (doStream: MockLanguageModelV3['doStream']) => ({
    ...aiSdk,
    streamText: (options: Parameters<typeof aiSdk.streamText>[0]) =>
      aiSdk.streamText({ ...options, maxRetries: 0, model: new MockLanguageModelV3({ doStream }) }),
  });
  const chat = (doStream: MockLanguageModelV3['doStream']): Promise<SseApp> => {
    const block = blockWith('ts', '// chat.controller.ts');
    return serve(runBlock(block, { ...packages, ai: sdk(doStream) }).ChatController);
  };
  const ask = async ({ url }: SseApp) => {
    const transport = new aiSdk.DefaultChatTransport<aiSdk.UIMessage>({ api: `${url}/api/chat` });
    const messages: aiSdk.UIMessage[] = [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }];
    const stream = await transport.sendMessages({
      ...{ chatId: 'c', trigger: 'submit-message', messageId: undefined, messages, abortSignal: undefined },
    });
    return { stream, transport };
  };

  it('is understood by the AI SDK, from its start to its end', async () => {
    const app = await chat(async () => ({
      stream: aiSdk.simulateReadableStream({
        chunks: [
          { type: 'text-start', id: 't' },
          { type: 'text-delta', id: 't', delta: 'Hello' },
          { type: 'text-end', id: 't' },
          { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
        ],
      }),
    }));
    const { stream, transport } = await ask(app);
    let message: aiSdk.UIMessage | undefined;
    for await (const state of aiSdk.readUIMessageStream({ stream })) message = state;
    expect(message?.parts.at(-1)).toMatchObject({ type: 'text', text: 'Hello', state: 'done' });
    expect(await transport.reconnectToStream({ chatId: 'c' })).toBeNull();
  });

  it('aborts the request to the model when it is stopped', async () => {
    let aborted: Promise<unknown> | undefined;
    const app = await chat(async ({ abortSignal }) => {
      aborted = new Promise((resolve) => abortSignal!.addEventListener('abort', resolve));
      return { stream: new ReadableStream({ start: (out) => out.enqueue({ type: 'text-start', id: 't' }) }) };
    });
    const { stream } = await ask(app);
    const reader = stream.getReader();
    const types = async () => (await reader.read()).value?.type;
    expect(await types()).toBe('start');
    while ((await types()) !== 'text-start');
    await fetch(`${app.url}/api/chat/c/stop`, { method: 'POST' });
    await aborted;
    expect([await types(), await types()]).toEqual(['abort', undefined]);
  });
});

it('the guide’s completions are of one run for each key, in OpenAI’s format', async () => {
  const model = runBlock(blockWith('ts', '// model.ts'), {});
  const block = blockWith('ts', 'export class CompletionsController');
  const app = await serve(runBlock(block, { ...packages, './model.js': model }).CompletionsController);
  const url = `${app.url}/v1/chat/completions`;
  const body = { messages: [{ role: 'user', content: 'tea' }] };
  const [first, second] = [
    await allOf(await post(url, body, { 'idempotency-key': 'k' })),
    await allOf(await post(url, body, { 'idempotency-key': 'k' })),
  ];
  const words = first.slice(0, -2).map((data) => JSON.parse(data).choices[0].delta.content);
  expect([words.join(''), first.at(-1)]).toEqual(['You said: tea', '[DONE]']);
  expect(second).toEqual(first);
  expect((await answerTo(`${url}/k`)).status).toBe(204);
});

it('the guide’s agent streams events of AG-UI, with LF alone and no [DONE]', async () => {
  const agent = runBlock(blockWith('ts', '// agent.ts'), {});
  const block = blockWith('ts', 'export class AgentController');
  const app = await serve(runBlock(block, { ...packages, './agent.js': agent }).AgentController);
  const client = await post(`${app.url}/agent`, { threadId: 't', runId: 'r' });
  const types = (await allOf(client)).map((data) => JSON.parse(data).type);
  expect([types[0], types.at(-1)]).toEqual(['RUN_STARTED', 'RUN_FINISHED']);
  expect(client.raw).not.toContain('\r');
  expect((await answerTo(`${app.url}/agent/t/stream`)).status).toBe(204);
});
