import { createClient } from 'redis';
import { SCRIPTS } from '../../../dist/sse/backplanes/redis/redis.scripts.js';

const KEPT = '100';
const NOTICES = 'bare:notices';

/** An entry of a Stream of bounded length, under the next number, and a notice of it: in one script. */
const APPEND = `
local offset = redis.call('HINCRBY', KEYS[2], 'head', 1)
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], offset .. '-0', 'e', ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return offset`;

/**
 * The keys and arguments of the hub's own script up to the event: those of a channel with default settings.
 * See there for what they are.
 */
const ALIKE = [
  ...['2', 'alike:log', 'alike:state', 'alike:notices', 'ABCDEFGH'],
  ...[KEPT, String(1024 * 1024), '', '600000', String(Number.MAX_SAFE_INTEGER)],
];

/** @returns {Promise<import('./bare.js').Bare>} */
export async function open(url) {
  // As the hub has it: an AbortSignal for each command would slow the others too.
  const client = createClient({ url, commandOptions: { timeout: 0 } });
  const subscriber = client.duplicate();
  await Promise.all([client.connect(), subscriber.connect()]);
  const sha = await client.scriptLoad(APPEND);
  const alike = await client.scriptLoad(SCRIPTS.append.text);
  return {
    publish: (text) =>
      client.sendCommand(['EVALSHA', sha, '2', 'bare:log', 'bare:state', text, KEPT, NOTICES]),
    publishAlike: (text) => client.sendCommand(['EVALSHA', alike, ...ALIKE, String(text.length), text, '0']),
    subscribe: (listener) => subscriber.subscribe(NOTICES, listener),
    rangeReads: async () => {
      const stats = await client.info('commandstats');
      // Each read of a log asks once how long it is; of the orders, which are read every second, none does.
      return Number(/^cmdstat_xlen:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
    },
    close: async () => {
      client.destroy();
      subscriber.destroy();
    },
  };
}
