import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { Registry, register as globalRegister } from 'prom-client';
import { from } from 'rxjs';
import {
  AuthorizeChannel,
  defineChannel,
  listenTo,
  OnSubscribe,
  SseHub,
  SseModule,
} from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { SseMetricsModule } from '../../../src/sse/metrics/index.js';
import { INSTRUMENTS, prometheusName } from '../../../src/sse/instruments/instruments.js';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { RedisServer } from '../../support/redis-server.js';
import { describeOnRedis } from '../../support/shared-server.js';
import { startSseApp, untilConnections, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';

const Room = defineChannel('rooms/:id', { history: { count: 2 }, replay: 'all', presence: true });

@Injectable()
class Rooms {
  @AuthorizeChannel(Room)
  mayEnter({ params }: { params: { id: string } }): boolean {
    return params.id !== 'secret';
  }

  @OnSubscribe('rooms/failing')
  came(): void {
    throw new Error('no hook');
  }
}

interface Measured extends SseApp {
  readonly register: Registry;
  /** The value of a series; undefined where there is none. */
  value(name: string, labels?: Record<string, string>): Promise<number | undefined>;
}

async function start(sse: SseModuleOptions = {}, register = new Registry()): Promise<Measured> {
  const app = await startSseApp({
    sse: { identify: ({ query }: RouteRequest) => ({ user: query['user'] ?? 'ada' }), ...sse },
    imports: [SseModule.forFeature([Room]), SseMetricsModule.forRoot({ register })],
    providers: [Rooms],
    routes: { events: (hub, { query }) => hub.stream(query['channels']!.split(',')) },
  });
  const value: Measured['value'] = async (name, labels = {}) => {
    const end = /_(count|sum|bucket)$/.exec(name)?.[0];
    const metric = await register.getSingleMetric(end ? name.slice(0, -end.length) : name)?.get();
    const wanted = Object.entries(labels).map(([label, text]) => `${label}=${text}`);
    const found = metric?.values.find(
      (one) =>
        (!end || (one as { metricName?: string }).metricName === name) &&
        String(
          Object.entries(one.labels)
            .map(([label, text]) => `${label}=${text}`)
            .sort(),
        ) === String(wanted.sort()),
    );
    return found?.value;
  };
  return { ...app, register, value };
}

const definition = 'rooms/:id';

describe('SseMetricsModule', () => {
  it('counts and times what becomes of responses', async () => {
    const { url, hub, value } = await start({ limits: { connections: 1 } });
    const client = await listen(`${url}/events?channels=rooms/a`);
    await answerTo(`${url}/events?channels=rooms/a`);
    await eventually(async () => (await value('sse_connections_opened_total', { start: 'new' })) === 1);
    expect(await value('sse_connections_opened_total', { start: 'resumed' })).toBe(0);
    expect(await value('sse_connections_active')).toBe(1);
    expect(await value('sse_connections_refused_total', { limit: 'connections' })).toBe(1);
    expect(await value('sse_connection_open_duration_seconds_count')).toBe(1);
    expect(await value('sse_connection_open_duration_seconds_sum')).toBeLessThan(10);
    client.close();
    await untilConnections(hub, 0);
    expect(await value('sse_connections_ended_total', { reason: 'client' })).toBe(1);
    expect(await value('sse_connections_ended_total', { reason: 'slow' })).toBe(0);
    expect(await value('sse_connections_active')).toBe(0);
  });

  it('counts events by definition, never by name, and times them', async () => {
    const { url, hub, value, register } = await start();
    await hub.publish('rooms/a', { data: 'past' });
    const client = await listen(`${url}/events?channels=rooms/a,other`);
    await client.next();
    await hub.publish('rooms/a', { data: 'x' });
    await hub.publish('other', { data: 'xy' });
    await client.take(2);
    await expect(hub.publish('rooms/a', {})).rejects.toThrow();
    await eventually(async () => (await value('sse_events_delivered_total', { definition: 'none' })) === 1);
    const failures = { definition, code: 'INVALID_EVENT' };
    await eventually(async () => (await value('sse_publish_failures_total', failures)) === 1);
    expect(await value('sse_events_published_total', { definition })).toBe(2);
    // The histogram has one duration for each message about calls.
    expect(await value('sse_publish_duration_seconds_count', { definition })).toBeGreaterThan(0);
    await eventually(async () => (await value('sse_events_delivered_total', { definition })) === 2);
    expect(await value('sse_events_replayed_total', { definition })).toBe(1);
    expect(await value('sse_delivered_bytes_total', { definition: 'none' })).toBe('data: xy\n\n'.length);
    expect(await value('sse_delivery_lag_seconds_count', { definition })).toBe(1);
    expect(await value('sse_delivery_lag_seconds_sum', { definition })).toBeLessThan(10);
    expect(await register.metrics()).not.toContain('rooms/a');
  });

  it('counts gaps, denials, failed hooks, pipes and orders', async () => {
    const { url, hub, value } = await start();
    const lastEventId = await hub.publish('rooms/a', { data: 0 });
    for (let i = 1; i < 5; i++) await hub.publish('rooms/a', { data: i });
    const client = await listen(`${url}/events?channels=rooms/a,rooms/secret,rooms/failing`, {
      lastEventId: `rooms%2Fa=${lastEventId}`,
    });
    await client.until('gap');
    await hub.revoke('ada', 'rooms/a');
    await hub.pipe('rooms/b', from([{ data: '1' }]));
    await eventually(
      async () => (await value('sse_pipes_ended_total', { definition, outcome: 'completed' })) === 1,
    );
    expect(await value('sse_gaps_total', { definition, reason: 'evicted' })).toBe(1);
    expect(await value('sse_denials_total', { definition, reason: 'forbidden' })).toBe(1);
    expect(await value('sse_denials_total', { definition, reason: 'revoked' })).toBe(1);
    expect(await value('sse_hooks_failed_total', { definition, hook: 'Rooms.came()' })).toBe(1);
    expect(await value('sse_orders_obeyed_total', { about: 'revoke' })).toBe(1);
  });

  it('reads what is there when it is collected, and forgets what is there no more', async () => {
    const { url, hub, value } = await start();
    await hub.publish('other', { data: 'x' });
    const clients = await Promise.all(
      ['ada', 'ada', 'eve'].map((user) => listen(`${url}/events?channels=rooms/a,rooms/b&user=${user}`)),
    );
    let end = (): void => undefined;
    const source = async function* (): AsyncGenerator<{ data: string }> {
      await new Promise<void>((resolve) => (end = resolve));
      yield { data: 'x' };
    };
    const piping = hub.pipe('rooms/c', source());
    await eventually(async () => (await value('sse_subscribers', { definition })) === 6);
    expect(await value('sse_channels_active', { definition })).toBe(2);
    expect(await value('sse_members', { definition })).toBe(4);
    expect(await value('sse_pipes_active', { definition })).toBe(1);
    expect(await value('sse_logs')).toBe(hub.stats().channels);
    expect(await value('sse_history_events')).toBe(1);
    expect(await value('sse_history_size_bytes')).toBe('data: x\n\n'.length);
    expect(await value('sse_backplane_state', { state: 'ready' })).toBe(1);
    expect(await value('sse_backplane_state', { state: 'away' })).toBe(0);
    end();
    await piping;
    for (const client of clients) client.close();
    await untilConnections(hub, 0);
    expect(await value('sse_subscribers', { definition })).toBeUndefined();
  });

  it('has every metric that is described, with names as Prometheus wants them', async () => {
    const { register } = await start();
    const metrics = await register.getMetricsAsJSON();
    expect(metrics.map(({ name }) => name).sort()).toEqual(
      (Object.keys(INSTRUMENTS) as (keyof typeof INSTRUMENTS)[]).map(prometheusName).sort(),
    );
    for (const { name, type } of metrics as unknown as { name: string; type: string }[]) {
      expect(name).toMatch(/^sse_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });

  it('measures each application of a process by itself, and leaves its register when it is closed', async () => {
    const [one, other] = [await start(), await start()];
    await one.hub.publish('rooms/a', { data: 'x' });
    await eventually(async () => (await one.value('sse_events_published_total', { definition })) === 1);
    expect(await other.value('sse_events_published_total', { definition })).toBeUndefined();
    const refused = await Test.createTestingModule({
      imports: [SseModule.forRoot(), SseMetricsModule.forRoot({ register: one.register })],
    }).compile();
    await expect(refused.init()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await refused.close();
    expect(await one.value('sse_events_published_total', { definition })).toBe(1);
    await one.close();
    expect(one.register.getMetricsAsArray()).toEqual([]);
    const again = await start({}, one.register);
    expect(await again.value('sse_connections_active')).toBe(0);
  });

  it('leaves nothing in the register where the start of an application fails', async () => {
    const register = new Registry();
    @Injectable()
    class Broken implements OnModuleInit {
      onModuleInit(): void {
        throw new Error('no start');
      }
    }
    const broken = { imports: [SseMetricsModule.forRoot({ register })], providers: [Broken] };
    await expect(startSseApp(broken)).rejects.toThrow('no start');
    expect(register.getMetricsAsArray()).toEqual([]);
    await start({}, register);
  });

  it('counts from the beginning, although it is in the register only after the start', async () => {
    const register = new Registry();
    @Injectable()
    class Early implements OnModuleInit {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      async onModuleInit(): Promise<void> {
        await this.hub.publish('news', { data: 'early' });
      }
    }
    await startSseApp({ imports: [SseMetricsModule.forRoot({ register })], providers: [Early] });
    await eventually(async () =>
      (await register.metrics()).includes('sse_events_published_total{definition="none"} 1'),
    );
  });

  it('takes the global register by default, and options from a factory', async () => {
    const imports = [SseMetricsModule.forRoot()];
    const app = await startSseApp({ imports });
    expect(await globalRegister.metrics()).toContain('sse_connections_active 0');
    await app.close();
    expect(await globalRegister.metrics()).not.toContain('sse_');
    const register = new Registry();
    await startSseApp({ imports: [SseMetricsModule.forRootAsync({ useFactory: () => ({ register }) })] });
    expect(await register.metrics()).toContain('sse_connections_active 0');
  });

  it('refuses what is no register, and options that it does not have', () => {
    for (const options of [{ register: {} }, { registry: new Registry() }])
      expect(() => SseMetricsModule.forRoot(options as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
  });
});

describeOnRedis('metrics of two instances', (shared) => {
  it('count what each has done', async () => {
    const backplane = shared();
    const [one, other] = [await start({ backplane }), await start({ backplane })];
    const client = await listen(`${other.url}/events?channels=rooms/a`);
    await one.hub.publish('rooms/a', { data: 'x' });
    await client.next();
    await eventually(async () => (await other.value('sse_events_delivered_total', { definition })) === 1);
    expect(await other.value('sse_events_published_total', { definition })).toBeUndefined();
    expect(await one.value('sse_events_published_total', { definition })).toBe(1);
    expect(await one.value('sse_events_delivered_total', { definition })).toBeUndefined();
    expect(await other.value('sse_history_size_bytes')).toBe('data: x\n\n'.length);
    expect(await other.value('sse_publish_resent_total')).toBe(0);
  });
});

describeWith('redis-server', 'metrics of a Redis that comes and goes', (path) => {
  it('tell the states, the reconnects, and what was sent again', async () => {
    const server = await RedisServer.start(path, { persistent: true });
    whenTestEnds(() => server.dispose());
    const { url, hub, value } = await start({
      backplane: redisBackplane({ connection: { url: server.url } }),
    });
    const told: string[] = [];
    whenTestEnds(listenTo({ 'backplane:changed': ({ before, state }) => told.push(`${before} → ${state}`) }));
    const state = (name: string): Promise<number | undefined> =>
      value('sse_backplane_state', { state: name });
    const client = await listen(`${url}/events?channels=rooms/a`);
    await hub.publish('rooms/a', { data: 'before' });
    await client.next();
    expect([await state('ready'), await value('sse_publish_resent_total')]).toEqual([1, 0]);

    // The server takes nothing for a while.
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    const waiting = hub.publish('rooms/a', { data: 'again' });
    await eventually(async () => (await value('sse_publish_resent_total'))! > 0);
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await waiting;
    expect((await client.next()).data).toBe('again');

    // It stops, and is killed before it has answered.
    server.freeze();
    const unanswered = hub.publish('rooms/a', { data: 'lost' });
    await server.stop();
    await expect(unanswered).rejects.toMatchObject({ code: 'PUBLISH_UNCERTAIN' });
    await eventually(async () => (await state('away')) === 1);
    expect(await state('ready')).toBe(0);
    await eventually(
      async () =>
        (await value('sse_publish_failures_total', { definition, code: 'PUBLISH_UNCERTAIN' })) === 1,
    );
    await server.start();
    await hub.publish('rooms/a', { data: 'after' });
    expect((await client.next()).data).toBe('after');
    await eventually(async () => (await state('ready')) === 1);
    // A server that takes nothing may be behind before it is away.
    expect(told.slice(-3)).toEqual([
      expect.stringMatching(/^(ready|behind) → away$/),
      'away → behind',
      'behind → ready',
    ]);
    const times = (change: string): number => told.filter((one) => one.includes(change)).length;
    expect(await value('sse_backplane_reconnects_total')).toBe(times('away →'));
    expect(await value('sse_backplane_catch_ups_total')).toBe(times('behind → ready'));
  });
});
