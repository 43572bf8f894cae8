import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { of, type Observable } from 'rxjs';
import { defineChannel, Sse, SseHub, SseModule } from '../../../src/sse/index.js';
import type { SseModuleOptions, SseOptionsFactory } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { controllerOf, startSseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from './log-recorder.js';

const news = controllerOf({ events: (hub) => hub.stream('news', { replay: 'all' }) });

describe('An app with @Sse() that does not import the module', () => {
  it.each(adapters)('answers 500, and logs what to do (%s)', async (adapter) => {
    @Controller()
    class LonelyController {
      @Sse('events')
      events(): Observable<string> {
        return of('x');
      }

      @Get('page')
      page(): string {
        return 'ok';
      }
    }
    const log = new LogRecorder();
    const { url } = await startSseApp({
      sse: false,
      adapter,
      controllers: [LonelyController],
      configure: (app) => app.useLogger(log),
    });
    const client = await answerTo(`${url}/events`);
    expect([client.status, client.body]).toEqual([
      500,
      { statusCode: 500, message: 'Internal server error' },
    ]);
    expect(log.entries).toMatchObject([
      { level: 'error', text: expect.stringMatching(/^MODULE_MISSING .*SseModule\.forRoot\(\)/) },
    ]);
    expect(await (await fetch(`${url}/page`)).text()).toBe('ok');
  });
});

describe('SseModule.forRoot()', () => {
  it('fails at start when it is imported twice', async () => {
    @Module({ imports: [SseModule.forRoot()] })
    class FeatureModule {}
    const starting = startSseApp({ imports: [FeatureModule], sse: { heartbeat: 7 } });
    await expect(starting).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/twice/),
    });
  });

  it('checks its options where they are written, and says what they take', () => {
    const cases = [
      [{ heartbeat: -1 }, /heartbeat.*-1/],
      [{ whenFull: 'wait' }, /whenFull.*"retry", "refuse"/],
      [{ limits: { conections: 5 } }, /conections.*connections/],
      [{ heartbeats: 5 }, /heartbeats/],
    ] as const;
    for (const [options, message] of cases) {
      const write = (): unknown => SseModule.forRoot(options as SseModuleOptions);
      expect(write).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) }),
      );
    }
  });

  it('so does @Sse()', () => {
    const cases = [
      { heartbeat: -1 },
      { slow: 'never' },
      { queuedBytes: 0 },
      { allowTransform: 'yes' },
      { heartbeats: 5 },
    ];
    for (const options of cases) {
      expect(() => Sse('x', options as object)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    }
  });

  it('fails at start when two features define the same channel', async () => {
    const imports = [
      SseModule.forFeature([defineChannel('a/:x')]),
      SseModule.forFeature([defineChannel('a/:x')]),
    ];
    await expect(startSseApp({ imports })).rejects.toMatchObject({ code: 'DUPLICATE_DEFINITION' });
  });

  it('is there for every module of the app, or only for its own with isGlobal: false', async () => {
    @Module({ controllers: [news] })
    class NewsModule {}
    const { hub, url } = await startSseApp({ imports: [NewsModule] });
    await hub.publish('news', { data: 'x' });
    expect(await (await listen(`${url}/events`)).next()).toMatchObject({ text: 'x' });
    const local = startSseApp({ sse: false, imports: [SseModule.forRoot({ isGlobal: false }), NewsModule] });
    await expect(local).rejects.toThrow(/SseHub/);
  });
});

describe('SseModule.forRootAsync()', () => {
  const options = { retry: 4321 };

  @Injectable()
  class Options implements SseOptionsFactory {
    async createSseOptions(): Promise<SseModuleOptions> {
      return options;
    }
  }
  @Module({ providers: [Options, { provide: 'config', useValue: options }], exports: [Options, 'config'] })
  class ConfigModule {}

  it.each([
    [
      'useFactory',
      () =>
        SseModule.forRootAsync({
          imports: [ConfigModule],
          inject: ['config'],
          useFactory: async (config: SseModuleOptions) => config,
        }),
    ],
    ['useClass', () => SseModule.forRootAsync({ useClass: Options })],
    ['useExisting', () => SseModule.forRootAsync({ imports: [ConfigModule], useExisting: Options })],
  ])('takes its options from %s', async (_how, imported) => {
    const { url } = await startSseApp({ sse: false, imports: [imported()], controllers: [news] });
    const client = await listen(`${url}/events`);
    await client.untilId();
    expect(client.retry).toBe(4321);
  });

  it('fails at start when the options are wrong', async () => {
    const imported = SseModule.forRootAsync({ useFactory: () => ({ heartbeat: -1 }) });
    await expect(startSseApp({ sse: false, imports: [imported] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    });
  });
});

describe('A process without an HTTP server', () => {
  it('publishes, and streams to subscribers of its own', async () => {
    @Injectable()
    class Job {
      constructor(@Inject(SseHub) readonly hub: SseHub) {}
    }
    @Module({ imports: [SseModule.forRoot()], providers: [Job] })
    class JobModule {}
    const context = await NestFactory.createApplicationContext(JobModule, { logger: false });
    whenTestEnds(() => context.close());
    const { hub } = context.get(Job);
    const seen: unknown[] = [];
    const done = new Promise<void>((resolve) =>
      hub
        .stream('a', { replay: 'all' })
        .subscribe({ next: ({ data }) => seen.push(data) === 2 && resolve() }),
    );
    await hub.publish('a', { data: 'one' });
    await hub.publish('a', { data: { n: 2 } });
    await done;
    expect(seen).toEqual(['one', { n: 2 }]);
  });

  it('works in a testing module of a user', async () => {
    const module = await Test.createTestingModule({ imports: [SseModule.forRoot()] }).compile();
    whenTestEnds(() => module.close());
    await expect(module.get(SseHub).publish('a', { data: 'x' })).resolves.toMatch(/^1\.\w{12}$/);
  });
});
