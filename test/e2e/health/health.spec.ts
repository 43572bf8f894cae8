import { Agent, get, type IncomingMessage } from 'node:http';
import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationShutdown, OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { describe, expect, it } from '@jest/globals';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { SseHealthIndicator, SseHealthModule } from '../../../src/sse/health/index.js';
import { SseHub, SseModule, type HubHealth, type SseModuleOptions } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { RedisServer } from '../../support/redis-server.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly checks: HealthCheckService,
    @Inject(SseHealthIndicator) private readonly sse: SseHealthIndicator,
  ) {}

  @Get('live')
  live() {
    return this.checks.check([() => this.sse.live()]);
  }

  @Get('ready')
  ready() {
    return this.checks.check([() => this.sse.ready('events')]);
  }
}

@Controller('plain')
class PlainController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Get()
  health(): HubHealth {
    return this.hub.health();
  }
}

const start = (sse: SseModuleOptions = {}): Promise<SseApp> =>
  startSseApp({
    sse,
    imports: [TerminusModule.forRoot({ logger: false }), SseHealthModule],
    controllers: [HealthController, PlainController],
    routes: { events: (hub) => hub.stream('news') },
  });

async function ask({ url }: SseApp, path: string): Promise<[status: number, body: unknown]> {
  const response = await fetch(`${url}/${path}`, { headers: { connection: 'close' } });
  return [response.status, await response.json()];
}

/** More than closing takes without a notice, and less than a test may take. */
const LONG = 10_000;

describe('the indicators of Terminus', () => {
  it('say up by 200, with the details', async () => {
    const app = await start();
    const { ready } = app.hub.health();
    expect(await ask(app, 'health/live')).toMatchObject([
      200,
      { status: 'ok', info: { sse: { status: 'up' } } },
    ]);
    expect(await ask(app, 'health/ready')).toMatchObject([200, { status: 'ok', info: { events: ready } }]);
  });

  it('say degraded by 200, with the reason', async () => {
    const app = await start({ limits: { connections: 1 } });
    await listen(`${app.url}/events`);
    const events = { status: 'degraded', reasons: ['connections'], connections: { used: 1, limit: 1 } };
    expect(await ask(app, 'health/ready')).toMatchObject([200, { status: 'degraded', info: { events } }]);
  });

  it('say down by 503 as soon as the application is closing, and that it need not be killed', async () => {
    const app = await start({ shutdown: { notice: 3_000 } });
    const closed = app.close();
    await eventually(() => app.hub.health().ready.status === 'down');
    const events = { status: 'down', reasons: ['closing'], phase: 'announced' };
    expect(await ask(app, 'health/ready')).toMatchObject([503, { status: 'error', error: { events } }]);
    expect((await ask(app, 'health/live'))[0]).toBe(200);
    await closed;
  });
});

describe('shutdown.notice', () => {
  it('leaves everything as it was until it is over, and then has streams ended', async () => {
    const notice = 4_000; // longer than what is done meanwhile
    const app = await start({ shutdown: { notice } });
    const { hub, url } = app;
    const before = await listen(`${url}/events`);
    const piped = hub.pipe('numbers', async function* (signal) {
      for (let n = 0; !signal.aborted; n++) {
        yield { data: n };
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const begun = performance.now();
    const closed = app.close();
    await eventually(() => hub.health().ready.phase === 'announced');
    const [status, health] = await ask(app, 'plain');
    expect([status, health]).toMatchObject([200, { live: { status: 'up' }, ready: { status: 'down' } }]);
    const late = await listen(`${url}/events`);
    await untilConnections(hub, 2);
    await hub.publish('news', { data: 'still here' });
    for (const client of [before, late]) expect((await client.next()).text).toBe('still here');
    const { events } = await hub.history('numbers');
    await eventually(async () => (await hub.history('numbers')).events.length > events.length);

    for (const client of [before, late]) expect(await client.ended()).toBe('ended');
    expect(performance.now() - begun).toBeGreaterThanOrEqual(notice - 1);
    expect(hub.health().ready.phase).toBe('draining');
    await expect(piped).rejects.toMatchObject({ code: 'HUB_CLOSED' });
    await closed;
    expect(hub.health()).toMatchObject({ live: { status: 'down' }, ready: { status: 'down' } });
  });

  it('begins after onModuleDestroy of the modules of the application, and ends before their next hook', async () => {
    const seen: string[] = [];
    @Injectable()
    class Recorder implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      #record(): void {
        const { ready } = this.hub.health();
        seen.push(`${ready.phase} ${ready.status}`);
      }

      onModuleDestroy(): void {
        this.#record();
      }

      beforeApplicationShutdown(): void {
        this.#record();
      }

      onApplicationShutdown(): void {
        this.#record();
      }
    }
    const { close } = await startSseApp({ providers: [Recorder] });
    await close();
    expect(seen).toEqual(['serving up', 'announced down', 'draining down']);
  });

  it('may be left to Terminus, during whose time streams go on as well', async () => {
    const terminus = TerminusModule.forRoot({ logger: false, gracefulShutdownTimeoutMs: 4_000 });
    const { app, hub, url } = await startSseApp({
      imports: [terminus],
      routes: { events: (hub) => hub.stream('news') },
    });
    // As Nest's handler of the signal does, for which alone Terminus waits.
    const closed = (app as unknown as { close(signal: string): Promise<void> }).close('SIGTERM');
    await eventually(() => hub.health().ready.status === 'down');
    const late = await listen(`${url}/events`);
    await untilConnections(hub, 1);
    await hub.publish('news', { data: 'still here' });
    expect((await late.next()).text).toBe('still here');
    await closed;
    expect(await late.ended()).toBe('ended');
  });

  it('is not waited for where nobody is served', async () => {
    @Module({ imports: [SseModule.forRoot({ shutdown: { notice: 2 * LONG } })] })
    class WorkerModule {}
    const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
    const begun = performance.now();
    await worker.close();
    expect(performance.now() - begun).toBeLessThan(LONG);
  });
});

describeWith('redis-server', 'hub.health() with a Redis that is away', (path) => {
  it('is degraded at first and then down, and up again when Redis is back', async () => {
    const server = await RedisServer.start(path);
    whenTestEnds(() => server.dispose());
    const proxy = await TcpProxy.to(server.port);
    whenTestEnds(() => proxy.close());
    const url = `redis://127.0.0.1:${proxy.port}`;
    const app = await start({
      backplane: redisBackplane({ connection: { url } }),
      health: { awayGrace: 500 },
    });
    const client = await listen(`${app.url}/events`);
    const statuses: string[] = [];
    const status = (): string => {
      const { ready } = app.hub.health();
      if (statuses.at(-1) !== ready.status) statuses.push(ready.status);
      return ready.status;
    };
    expect(status()).toBe('up');
    proxy.refuse();
    await eventually(() => status() === 'down');
    expect(await ask(app, 'plain')).toMatchObject([200, { live: { status: 'up' } }]);
    expect((await ask(app, 'health/ready'))[0]).toBe(503);
    proxy.mend();
    await eventually(() => status() === 'up');
    expect(statuses.filter((one, i) => one !== 'degraded' || i === 1)).toEqual([
      'up',
      'degraded',
      'down',
      'up',
    ]);
    await app.hub.publish('news', { data: 'again' });
    expect((await client.next()).text).toBe('again');
  });
});

describe('an application that closes', () => {
  it('does not wait for a client that goes on polling on one connection', async () => {
    let answerFirst = (): void => undefined;
    const first = new Promise<void>((resolve) => (answerFirst = resolve));
    @Controller('slow')
    class SlowController {
      @Get()
      slow(): Promise<void> {
        return first;
      }
    }
    const { app, server, port } = await startSseApp({ controllers: [SlowController, PlainController] });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    whenTestEnds(() => agent.destroy());
    const poll = (path: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const answered = (response: IncomingMessage): void => {
          response.resume().once('end', () => resolve(response));
        };
        get({ host: '127.0.0.1', port, path, agent }, answered).once('error', reject);
      });
    // A request is under way when the server closes, so its connection stays.
    const underWay = poll('/slow');
    await new Promise((resolve) => server.once('request', resolve));
    const closed = app.close();
    await eventually(() => !server.listening);
    answerFirst();
    expect((await underWay).headers.connection).toBe('keep-alive');
    expect((await poll('/plain')).headers.connection).toBe('close');
    await expect(poll('/plain')).rejects.toThrow('ECONNREFUSED');
    await closed;
  });
});
