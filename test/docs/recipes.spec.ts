import * as nest from '@nestjs/common';
import type { Type } from '@nestjs/common';
import * as testing from '@nestjs/testing';
import * as runner from '@jest/globals';
import * as rxjs from 'rxjs';
import * as sse from '../../src/index.js';
import * as kit from '../../src/sse/testing/index.js';
import type { TestEvent } from '../../src/sse/testing/index.js';
import { startSseApp } from '../support/sse-app.js';
import { listen } from '../support/open-stream.js';
import { allBlocks, blockWith } from './guides.js';
import { runBlock, runProgram } from './run-block.js';

const { describe, expect, it } = runner;

const packages = {
  '@nestjs/common': nest,
  '@nestjs/testing': testing,
  'nestjs-sse-hub': sse,
  'nestjs-sse-hub/testing': kit,
  '@jest/globals': runner,
  rxjs,
};

const typesAndData = (events: readonly TestEvent[]): unknown[] =>
  events.map(({ type, text }) => [type, text]);

describe('the README’s recipe', () => {
  it('of notifications tells a new page the count, and then each note with its count', async () => {
    const { Inbox, InboxController } = runBlock(blockWith('ts', '// inbox.ts'), packages);
    const { app, url } = await startSseApp({
      imports: [sse.SseModule.forFeature([Inbox as sse.ChannelDefinition])],
      controllers: [InboxController as Type],
      configure: (app) =>
        app.use((request: { user?: unknown }, _: unknown, next: () => void) => {
          request.user = { id: 'ada' };
          next();
        }),
    });
    const inbox = app.get<unknown, { notify(user: string, text: string): Promise<void> }>(
      InboxController as Type,
    );
    await inbox.notify('ada', 'first');
    const client = await listen(`${url}/inbox`);
    await client.take(1);
    await inbox.notify('ada', 'second');
    await inbox.notify('bob', 'not for ada');
    await client.take(1);
    expect(typesAndData(client.events)).toEqual([
      ['snapshot', '{"channel":"inbox/ada","state":1}'],
      ['note', '{"text":"second","unread":2}'],
    ]);
  });

  it('of a job tells its progress, its result or its failure, and then 204', async () => {
    const { Export, ExportsController } = runBlock(blockWith('ts', '// exports.ts'), packages);
    const { app, url } = await startSseApp({
      imports: [sse.SseModule.forFeature([Export as sse.ChannelDefinition])],
      controllers: [ExportsController as Type],
    });
    const jobs = app.get<unknown, { run(id: string, parts: (() => Promise<void>)[]): Promise<void> }>(
      ExportsController as Type,
    );
    const client = await listen(`${url}/exports/1`, { reconnect: 0 });
    const part = (): Promise<void> => Promise.resolve();
    await jobs.run('1', [part, part]);
    expect(typesAndData(await client.rest())).toEqual([
      ['progress', '0.5'],
      ['progress', '1'],
      ['done', '{"url":"/files/1.csv"}'],
    ]);
    expect(client).toMatchObject({ status: 204, connected: 1 });
    const late = await listen(`${url}/exports/1`);
    expect(typesAndData(await late.rest())).toEqual([['done', '{"url":"/files/1.csv"}']]);

    await jobs.run('2', [part, () => Promise.reject(new Error('no disk'))]);
    const failed = await listen(`${url}/exports/2`);
    expect(typesAndData(await failed.rest())).toEqual([['failed', '']]);
  });

  it('of a dashboard streams many channels in one response', async () => {
    const { Gauge, DashboardModule } = runBlock(blockWith('ts', '// dashboard.ts'), packages);
    const { hub, url } = await startSseApp({ sse: false, imports: [DashboardModule as Type] });
    const gauge = (name: string, value: number): Promise<string> =>
      hub.publish((Gauge as sse.ChannelDefinition<'gauges/:name'>).of({ name }), {
        type: 'gauge',
        data: { name, value },
      });
    for (const value of [1, 2]) await gauge('cpu', value);
    const client = await listen(`${url}/events?channel=gauges/cpu&channel=gauges/memory&channel=news`);
    await client.take(3);
    await gauge('memory', 3);
    await client.take(1);
    const [connection, ...events] = client.events;
    expect(connection).toMatchObject({ type: 'connection' });
    expect(typesAndData(events).sort()).toEqual([
      ['denied', '{"channel":"news","reason":"forbidden"}'],
      ['gauge', '{"name":"cpu","value":2}'],
      ['gauge', '{"name":"memory","value":3}'],
    ]);
  });
});

describe('the tests of a user', () => {
  const files = {
    './orders.js': runBlock(blockWith('ts', '// orders.ts'), packages),
    './chat.js': runBlock(blockWith('ts', '// chat.ts'), packages),
  };
  const programs = allBlocks.filter(({ code }) => code.includes('Test.createTestingModule('));

  it.each(programs.map((block) => [`${block.path}:${block.line}`, block] as const))(
    'in %s pass, and log what their comments say',
    async (_, block) => {
      const tests: unknown[] = [];
      const it = (_: string, test: () => unknown): unknown => tests.push(test());
      const { logged, said } = await runProgram(block, {
        ...packages,
        ...files,
        '@jest/globals': { ...runner, it },
      });
      await Promise.all(tests);
      expect(tests.length + logged.length).toBeGreaterThan(0);
      expect(logged.map((line) => line.replaceAll(/\s+/g, ' '))).toEqual(said);
    },
  );
});
