import { redisBackplane, type RedisBackplaneOptions } from '../../src/sse/backplanes/redis/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import {
  channelOn,
  dataOf,
  type ChannelUnderTest,
} from '../../src/sse/testing/contracts/channel-under-test.js';
import { whenTestEnds } from '../support/clean-up.js';

/** An instance that uses the Redis at a port, with connections of its own. */
export const openAt = (port: number, options: RedisBackplaneOptions = {}) =>
  open({ connection: { url: `redis://127.0.0.1:${port}` }, ...options });

/** An instance, until the test ends. */
export async function open(options: RedisBackplaneOptions) {
  const { backplane, cluster } = await redisBackplane(options)(moduleSettings().limits);
  whenTestEnds(async () => {
    await cluster!.close();
    await backplane.close();
  });
  return { backplane, cluster: cluster! };
}

/** The backplane of such an instance. */
export const instanceAt = async (port: number, options?: RedisBackplaneOptions): Promise<SseBackplane> =>
  (await openAt(port, options)).backplane;

/** The channel that all instances of a test use. */
export const channelAt = (backplane: SseBackplane): ChannelUnderTest => channelOn(backplane, {}, 'a');

/**
 * What a client gets that comes to an instance with a position, by both ways to ask: the data after it, or the reason
 * of the gap and the data that is left.
 */
export async function resumed(backplane: SseBackplane, after: Position) {
  const { read, listener } = channelAt(backplane);
  const range = await read({ after });
  const follower = await listener();
  const followed = await follower.after(after);
  const followedMissing = followed ? undefined : follower.log.missing(after);
  const kept = [...follower.log.entriesAfter(follower.log.floor.offset)];
  follower.stop();
  return {
    read: [range.missing, ...dataOf(range.entries)],
    followed: [followedMissing, ...dataOf(followed ?? kept)],
  };
}

/** The same by both ways. */
export const both = (...result: unknown[]) => ({ read: result, followed: result });
