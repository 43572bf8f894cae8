import * as nodeCrypto from 'node:crypto';
import * as nest from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import * as rxjs from 'rxjs';
import * as sse from '../../src/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { newInbox } from '../support/inbox.js';
import { startSseApp, type SseAppOptions } from '../support/sse-app.js';
import { listen } from '../support/open-stream.js';
import { blockWith } from './guides.js';
import { runBlock } from './run-block.js';

/** The README's example, in which the test says when the model has its next token. */
async function startExample(options: SseAppOptions = {}, abandonAfter?: number) {
  const asked = newInbox<() => void>();
  const delay = (): Promise<void> => new Promise((resolve) => asked.push(resolve));
  const block = blockWith('ts', '// answers.ts');
  const code = abandonAfter === undefined ? block.code : block.code.replace('30_000', String(abandonAfter));
  const { Answer, AnswersController } = runBlock(
    { ...block, code },
    {
      'node:crypto': nodeCrypto,
      'node:timers/promises': { setTimeout: delay },
      '@nestjs/common': nest,
      'nestjs-sse-hub': sse,
      rxjs,
    },
  );
  const warnings = newInbox<unknown>();
  const spy = jest.spyOn(console, 'warn').mockImplementation((error: unknown) => warnings.push(error));
  whenTestEnds(() => spy.mockRestore());
  const { url, hub } = await startSseApp({
    ...options,
    imports: [sse.SseModule.forFeature([Answer as sse.ChannelDefinition])],
    controllers: [AnswersController as Type],
  });
  const post = async (question: string): Promise<string> => {
    const response = await fetch(`${url}/answers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question }),
    });
    return ((await response.json()) as { id: string }).id;
  };
  /** The model has so many tokens more. */
  const tokens = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) (await asked.nextIfAny())!();
  };
  return { url: `${url}/answers`, hub, post, tokens, asked, warnings };
}

const textOf = (events: readonly { data: string }[]): string => events.map(({ data }) => data).join('');

describe('the README’s answer of a language model,', () => {
  it('is streamed to its end', async () => {
    const { url, post, tokens } = await startExample();
    const id = await post('why?');
    const client = await listen(`${url}/${id}`, { reconnect: 0 });
    await tokens(4);
    const events = await client.rest();
    expect(textOf(events)).toBe('You have asked: why?');
    expect(events.at(-1)).toMatchObject({ type: 'done' });
    expect(client).toMatchObject({ status: 204, connected: 1 });
  });

  it('goes on in the middle after a lost connection, and is seen from the start by a late joiner', async () => {
    const { url, post, tokens, asked } = await startExample();
    const id = await post('why?');
    const client = await listen(`${url}/${id}`, { reconnect: 0 });
    await tokens(2);
    expect(textOf(await client.take(2))).toBe('You have ');
    client.drop();
    await tokens(1);
    await client.untilConnected(2);
    const late = await listen(`${url}/${id}`);
    await tokens(1);
    expect(textOf(await client.rest())).toBe('asked: why?');
    expect(textOf(await late.rest())).toBe('You have asked: why?');
    expect(asked.all).toHaveLength(4);
  });

  it('ends at once when it is completed, and the source with its next token', async () => {
    const { url, hub, post, tokens, asked, warnings } = await startExample();
    const id = await post('why?');
    const client = await listen(`${url}/${id}`);
    await tokens(1);
    expect(textOf(await client.take(1))).toBe('You ');
    await hub.complete(`answers/${id}`);
    expect(await client.rest()).toEqual([]);
    await tokens(1);
    expect(await warnings.nextIfAny()).toContain('The channel');
    expect(asked.all).toHaveLength(2);
  });

  it('is stopped when nobody listens any more', async () => {
    const { url, post, tokens, asked, warnings } = await startExample({}, 5);
    const id = await post('why?');
    expect(await warnings.nextIfAny()).toContain('Nobody has listened');
    await tokens(1);
    const late = await listen(`${url}/${id}`);
    expect(await late.rest()).toMatchObject([{ type: 'error', text: 'Abandoned' }]);
    expect(asked.all).toHaveLength(1);
  });
});
