import { randomUUID } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import { SseHub, SseModule } from '../../src/sse/index.js';
import type { RedisServer } from '../support/redis-server.js';

/** What Redis does for one event of a channel that every instance streams. */
export interface HotChannelCost {
  readonly instances: number;
  /** Calls of scripts: one stores the event, and any other reads the log. */
  readonly scripts: number;
  /** Announcements to instances. */
  readonly announcements: number;
  /** Instances that get it by an announcement or an answer, and need not read. */
  readonly told: number;
  /** Bytes that it sends. */
  readonly bytesOut: number;
}

/** Characters of an event's data. */
export const DATA_LENGTH = 200;

/**
 * Publishes events one after the other, on one of so many real instances on a real Redis, while each of them streams the
 * channel.
 */
export async function simulateHotChannel(
  redis: RedisServer,
  instances: number,
  events: number,
): Promise<HotChannelCost> {
  const backplane = redisBackplane({ prefix: randomUUID(), connection: { url: redis.url } });
  const apps: INestApplicationContext[] = [];
  try {
    for (let i = 0; i < instances; i++)
      apps.push(
        await NestFactory.createApplicationContext(SseModule.forRoot({ backplane }), { logger: false }),
      );
    const hubs = apps.map((app) => app.get(SseHub));
    const arrivals = new Arrivals();
    for (const hub of hubs) hub.stream('hot', { replay: 'all' }).subscribe(() => arrivals.add());
    const publish = async (): Promise<void> => {
      const everywhere = arrivals.next(instances);
      await hubs[0]!.publish('hot', { data: 'x'.repeat(DATA_LENGTH) });
      await everywhere;
    };
    await publish(); // all instances follow the channel when they have it
    const before = await countsOf(redis);
    for (let i = 0; i < events; i++) await publish();
    const after = await countsOf(redis);
    const each = (name: keyof typeof after): number => (after[name] - before[name]) / events;
    const announcements = each('publishes');
    return {
      instances,
      scripts: each('scripts'),
      announcements,
      told: announcements * instances,
      bytesOut: Math.round(each('bytesOut')),
    };
  } finally {
    await Promise.all(apps.map((app) => app.close()));
  }
}

/** Counts events, and tells when so many have come. */
class Arrivals {
  #left = 0;
  #done: (() => void) | undefined;

  add(): void {
    if (--this.#left === 0) this.#done?.();
  }

  next(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}

/** What Redis has done since its start. */
async function countsOf(redis: RedisServer) {
  const info = String(await redis.command('INFO', 'all'));
  const find = (pattern: RegExp): number => Number(pattern.exec(info)?.[1] ?? 0);
  return {
    scripts: find(/^cmdstat_evalsha:calls=(\d+)/m),
    publishes: find(/^cmdstat_publish:calls=(\d+)/m),
    bytesOut: find(/^total_net_output_bytes:(\d+)/m),
  };
}
