import { Controller, Global, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, take, toArray } from 'rxjs';
import type { Observable } from 'rxjs';
import { defineChannel, Sse, SseHub, SseModule, type } from '../../../src/sse/index.js';
import type { SseEvent, SseModuleOptions, SseOptionsFactory } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

/** What all of these configure: `retry: 77` shows in the first block of a stream. */
const OPTIONS: SseModuleOptions = { retry: 77 };

@Injectable()
class SseConfig implements SseOptionsFactory {
  createSseOptions(): Promise<SseModuleOptions> {
    return Promise.resolve(OPTIONS);
  }
}

@Global()
@Module({
  providers: [SseConfig, { provide: 'OPTIONS', useValue: OPTIONS }],
  exports: [SseConfig, 'OPTIONS'],
})
class ConfigModule {}

@Controller()
class NewsController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse('events')
  events(): Observable<SseEvent> {
    return this.hub.stream('news');
  }
}

@Injectable()
class Reporter {
  constructor(@Inject(SseHub) readonly hub: SseHub) {}
}

describe('SseModule.forRootAsync()', () => {
  it.each<[string, Parameters<typeof SseModule.forRootAsync>[0]]>([
    ['useFactory', { useFactory: () => OPTIONS }],
    ['useFactory that returns a promise', { useFactory: () => Promise.resolve(OPTIONS) }],
    [
      'useFactory with inject and imports',
      { imports: [ConfigModule], inject: ['OPTIONS'], useFactory: (options: SseModuleOptions) => options },
    ],
    ['useClass', { useClass: SseConfig }],
    ['useExisting', { imports: [ConfigModule], useExisting: SseConfig }],
  ])('takes its options from %s', async (_, options) => {
    const { hub, url } = await startSseApp({
      sse: false,
      imports: [SseModule.forRootAsync(options)],
      controllers: [NewsController],
    });
    const client = await listen(`${url}/events`);
    await client.untilId();
    expect(client.retry).toBe(77);
    await hub.publish('news', { data: 'a' });
    expect((await client.next()).text).toBe('a');
  });

  it('fails at start-up with what is wrong with the options', async () => {
    const module = SseModule.forRootAsync({ useFactory: () => ({ heartbeat: -1 }) });
    await expect(startSseApp({ sse: false, imports: [module] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    });
  });
});

describe('SseModule.forRoot()', () => {
  it('is global: a feature module injects the hub without importing anything', async () => {
    @Module({ providers: [Reporter] })
    class FeatureModule {}
    const { app, hub } = await startSseApp({ imports: [FeatureModule] });
    expect(app.get(Reporter, { strict: false }).hub).toBe(hub);
  });

  it.each(['forRoot', 'forRootAsync'] as const)(
    'gives the hub only to modules that import it with isGlobal: false (%s)',
    async (method) => {
      const sse = (): ReturnType<typeof SseModule.forRoot> =>
        method === 'forRoot'
          ? SseModule.forRoot({ isGlobal: false })
          : SseModule.forRootAsync({ isGlobal: false, useFactory: () => ({}) });
      @Module({ providers: [Reporter] })
      class FeatureModule {}
      const fails = startSseApp({ sse: false, imports: [sse(), FeatureModule] });
      await expect(fails).rejects.toThrow(/resolve dependencies of the Reporter/);

      const { hub, url } = await startSseApp({ sse: false, imports: [sse()], controllers: [NewsController] });
      const client = await listen(`${url}/events`);
      await hub.publish('news', { data: 'a' });
      expect((await client.next()).text).toBe('a');
    },
  );

  it('imported twice fails at start-up', async () => {
    const app = startSseApp({ imports: [SseModule.forRoot({ retry: 1 })] });
    await expect(app).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('keeps two apps of one process apart', async () => {
    const [one, two] = [
      await startSseApp({ controllers: [NewsController] }),
      await startSseApp({ controllers: [NewsController] }),
    ];
    const [a, b] = [await listen(`${one.url}/events`), await listen(`${two.url}/events`)];
    await one.hub.publish('news', { data: 'one' });
    await two.hub.publish('news', { data: 'two' });
    expect([(await a.next()).text, (await b.next()).text]).toEqual(['one', 'two']);
  });
});

describe('SseModule.forFeature()', () => {
  const Room = defineChannel('rooms/:room', {
    replay: 2,
    history: { count: 2 },
    events: { message: type<string>() },
  });
  const Signals = defineChannel('signals', { history: 0 });

  it('declares what holds for the channels of a feature; the others have the defaults of the module', async () => {
    const { hub } = await startSseApp({
      imports: [SseModule.forFeature([Room]), SseModule.forFeature([Signals])],
    });
    for (const data of ['a', 'b', 'c']) {
      await hub.publish(Room.of({ room: 'red' }), { type: 'message', data });
      await hub.publish('other', { data });
    }
    const replayed = await firstValueFrom(hub.stream(Room.of({ room: 'red' })).pipe(take(2), toArray()));
    expect(replayed.map(({ data }) => data as unknown)).toEqual(['b', 'c']);
    expect((await hub.history('other')).events).toHaveLength(3);
    expect(await hub.publish('signals', { data: 'no id' })).toBe('');
  });

  it('has the first of two definitions that match hold', async () => {
    const Lobby = defineChannel('rooms/lobby', { history: 0 });
    const { hub } = await startSseApp({ imports: [SseModule.forFeature([Lobby, Room])] });
    expect(await hub.publish('rooms/lobby', { data: 'x' })).toBe('');
    expect(await hub.publish('rooms/red', { data: 'x' })).not.toBe('');
    expect(await hub.publish('rooms/lobby/annex', { data: 'no such room' })).not.toBe('');
  });

  it('refuses two definitions of one pattern at start-up, but takes one that two modules share', async () => {
    const Twin = defineChannel('rooms/:room');
    const twins = startSseApp({ imports: [SseModule.forFeature([Room]), SseModule.forFeature([Twin])] });
    await expect(twins).rejects.toMatchObject({ code: 'DUPLICATE_DEFINITION' });
    await startSseApp({ imports: [SseModule.forFeature([Room]), SseModule.forFeature([Room, Signals])] });
  });

  it('is the list of all channels there are, with strictChannels', async () => {
    const { hub } = await startSseApp({
      sse: { strictChannels: true },
      imports: [SseModule.forFeature([Room])],
    });
    await hub.publish('rooms/red', { data: 'x' });
    const unknown = { code: 'UNKNOWN_CHANNEL' };
    await expect(hub.publish('room/red', { data: 'x' })).rejects.toMatchObject(unknown);
    await expect(hub.history('room/red')).rejects.toMatchObject(unknown);
    await expect(hub.subscriberCount('room/red')).rejects.toMatchObject(unknown);
    expect(() => hub.stream(['rooms/red', 'room/red'])).toThrow(expect.objectContaining(unknown));
  });
});

describe('a process without an HTTP server', () => {
  it('publishes, streams and reads history, and is closed without hanging', async () => {
    @Module({ imports: [SseModule.forRoot()], providers: [Reporter] })
    class WorkerModule {}
    const context = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
    let isClosed = false;
    whenTestEnds(() => (isClosed ? undefined : context.close()));
    const { hub } = context.get(Reporter);
    const id = await hub.publish('news', { data: 'a' });
    const events = firstValueFrom(hub.stream('news', { replay: 'all' }).pipe(toArray()));
    expect((await hub.history('news')).position).toBe(id);
    await firstValueFrom(hub.stream('news', { replay: 'all' }));
    await context.close();
    isClosed = true;
    expect(await events).toMatchObject([{ id, data: 'a' }]);
    await expect(hub.publish('news', { data: 'late' })).rejects.toMatchObject({ code: 'HUB_CLOSED' });
  });
});
