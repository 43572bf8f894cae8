const main = `
import 'reflect-metadata';
import { Controller, Injectable, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { LastEventId, Sse, SseError, SseHub, SseModule } from 'nestjs-sse-hub';
import { defineChannel, type } from 'nestjs-sse-hub/channels';
import type { SseEvent, SseModuleOptions } from 'nestjs-sse-hub';
import type { Observable } from 'rxjs';

export const Order = defineChannel('orders/:id', {
  events: { shipped: type<{ order: string }>() },
  history: { count: 10 },
});

const options: SseModuleOptions = { heartbeat: 5_000 };

@Injectable()
class Orders {
  constructor(private readonly hub: SseHub) {}

  ship(id: string): Promise<string> {
    return this.hub.publish(Order.of({ id }), { type: 'shipped', data: { order: id } });
  }

  async mistakes(id: string): Promise<void> {
    // @ts-expect-error: the pattern has no such parameter
    Order.of({ nr: id });
    // @ts-expect-error: the channel has no such event
    await this.hub.publish(Order.of({ id }), { type: 'sent', data: { order: id } });
    // @ts-expect-error: the event's data is another
    await this.hub.publish(Order.of({ id }), { type: 'shipped', data: { order: 7 } });
    // @ts-expect-error: there is no such option
    SseModule.forRoot({ heartBeat: 1 });
    // A plain string is any channel.
    await this.hub.publish('notes', { data: 'anything' });
    throw new SseError('INVALID_EVENT', '');
  }
}

// What a library of the user's own may declare without writing its types.
export const follow = (hub: SseHub) => hub.stream(Order.of({ id: '7' }));
export const lookUp = (hub: SseHub) => hub.connections({ channel: 'orders/7', everywhere: true });

@Controller('orders')
class OrdersController {
  constructor(
    private readonly hub: SseHub,
    private readonly orders: Orders,
  ) {}

  @Sse(':id/events')
  events(@Param('id') id: string, @LastEventId() position?: string): Observable<SseEvent> {
    void position;
    return this.hub.stream(Order.of({ id }));
  }

  @Post(':id/ship')
  ship(@Param('id') id: string): Promise<string> {
    return this.orders.ship(id);
  }
}

@Module({
  imports: [SseModule.forRoot(options), SseModule.forFeature([Order])],
  controllers: [OrdersController],
  providers: [Orders],
})
class AppModule {}

async function start(): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  console.log('listening on ' + (await app.getUrl()));
}
void start();
`;

const compilerOptions = {
  ...{ target: 'ES2023', lib: ['ES2023'], module: 'nodenext', moduleResolution: 'nodenext' },
  ...{ types: ['node'], outDir: 'dist', rootDir: '.', declaration: true },
  ...{ experimentalDecorators: true, emitDecoratorMetadata: true },
  ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  ...{ skipLibCheck: false },
};

const tsconfig = { compilerOptions, files: ['main.ts'] };

/** All entries, as CommonJS: what is imported for its type alone would not be loaded. */
const entries = `
import { ModelRuns } from 'nestjs-sse-hub/ai';
import { SseHealthModule } from 'nestjs-sse-hub/health';
import { lmdbBackplane } from 'nestjs-sse-hub/lmdb';
import { natsBackplane } from 'nestjs-sse-hub/nats';
import { useSse } from 'nestjs-sse-hub/react';
import { redisBackplane } from 'nestjs-sse-hub/redis';
import { openStream } from 'nestjs-sse-hub/testing';
import { describeBackplane } from 'nestjs-sse-hub/testing/contracts';

// @ts-expect-error: there is no such option
export const mistake = () => lmdbBackplane({ folder: 'data' });

const all = [ModelRuns, SseHealthModule, lmdbBackplane, natsBackplane, useSse, redisBackplane, openStream, describeBackplane];
console.log(all.map(({ name }) => name).join());
`;

/** Compiles with every backplane, and runs with the one that needs no server. */
const instances = `
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseHub, SseModule, type BackplaneFactory } from 'nestjs-sse-hub';
import { lmdbBackplane, type LmdbOptions } from 'nestjs-sse-hub/lmdb';
import { natsBackplane, type NatsBackplaneOptions } from 'nestjs-sse-hub/nats';
import { redisBackplane, type RedisBackplaneOptions } from 'nestjs-sse-hub/redis';
import { describeBackplane, type TestGlobals } from 'nestjs-sse-hub/testing/contracts';
import { Cluster, Redis } from 'ioredis';
import { createClient } from 'redis';

const directory: LmdbOptions = { path: 'data' };
const redis: RedisBackplaneOptions = { client: createClient(), whileAway: 'fail' };
const sentinels: RedisBackplaneOptions = { connection: { name: 'main', sentinelRootNodes: [] } };
const cluster: RedisBackplaneOptions = { connection: { rootNodes: [{ url: 'redis://127.0.0.1' }] } };
const byIoRedis: RedisBackplaneOptions[] = [
  { client: new Redis({ lazyConnect: true }) },
  { client: new Cluster([{ port: 7000 }], { lazyConnect: true }) },
];
const nats: NatsBackplaneOptions = { connection: { servers: '127.0.0.1:4222' }, replicas: 3 };
export const remote: BackplaneFactory[] = [redis, sentinels, cluster, ...byIoRedis].map((options) => redisBackplane(options));
remote.push(natsBackplane(nats));

// @ts-expect-error: there is no such option
export const mistake = (): BackplaneFactory => redisBackplane({ url: 'redis://127.0.0.1' });

// It loads without a test runner.
export const suite = (test: TestGlobals): void =>
  describeBackplane(test, 'lmdb', async () => lmdbBackplane(directory)({} as never));

@Module({ imports: [SseModule.forRoot({ backplane: lmdbBackplane(directory) })] })
class AppModule {}

const start = () => NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
const first = await start();
await first.get(SseHub).publish('notes', { data: 'a message, kept' });
await first.close();
const second = await start();
console.log((await second.get(SseHub).history('notes')).events[0]?.data);
await second.close();
`;

/** A front-end: the definitions that it shares with its server, and a page. Nothing of Nest is there. */
const shared = `
import { defineChannel, type } from 'nestjs-sse-hub/channels';

export const Order = defineChannel('orders/:id', {
  events: { shipped: type<{ order: string }>() },
  history: { count: 10 },
});
`;
const page = `
import { connect } from 'nestjs-sse-hub/client';
import { SseError, type EventsOf } from 'nestjs-sse-hub/channels';
import { Order } from './shared.js';

const order = Order.of({ id: 'a/b' });
const client = connect<EventsOf<typeof order>>('http://127.0.0.1/');
client.on('shipped', (data): string => data.order);
// @ts-expect-error: the channel has no such event
client.on('sent', () => undefined);
client.close();
console.log(order, client.state.kind);
try {
  Order.of({ id: '' });
} catch (error) {
  console.log(error instanceof SseError && error.code);
}
`;

const pageConfig = (moduleResolution: 'bundler' | 'node16', module: 'esnext' | 'node16') => ({
  compilerOptions: {
    ...{ target: 'ES2023', lib: ['ES2023', 'DOM', 'DOM.Iterable'], module, moduleResolution, types: [] },
    ...{
      outDir: 'dist',
      strict: true,
      exactOptionalPropertyTypes: true,
      declaration: true,
      // All that this package declares is checked; what TypeScript does is not ours.
      skipDefaultLibCheck: true,
    },
  },
  files: ['page.ts'],
});

/** A page that shares its channels with a server, for each way in which a compiler finds the entries. */
export const pageFiles: Record<string, string> = {
  'shared.ts': shared,
  'page.ts': page,
  'tsconfig.json': JSON.stringify(pageConfig('node16', 'node16')),
  'bundler.json': JSON.stringify(pageConfig('bundler', 'esnext')),
};

/** An app of a user of the package, in a folder of its own. */
export const consumerFiles: Record<string, string> = {
  'main.ts': main,
  'tsconfig.json': JSON.stringify(tsconfig),
};

/** One that uses the backplanes. */
export const instancesFiles: Record<string, string> = {
  'main.ts': instances,
  'tsconfig.json': JSON.stringify({
    ...tsconfig,
    // What others declare is not ours to check.
    compilerOptions: { ...compilerOptions, skipLibCheck: true },
  }),
};

/** The same app as CommonJS, found by a compiler that does not read `exports`. */
export const commonJsFiles: Record<string, string> = {
  'main.ts': main,
  'entries.ts': entries,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      ...compilerOptions,
      ...{ module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
      // The types of the NATS client need a compiler that reads `exports`.
      skipLibCheck: true,
    },
    files: ['main.ts', 'entries.ts'],
  }),
};
