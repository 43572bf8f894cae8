import { createClient } from 'redis';

const KEPT = '100';
const NOTICES = 'bare:notices';

/** An entry of a Stream of bounded length, under the next number, and a notice of it: in one script. */
const APPEND = `
local offset = redis.call('HINCRBY', KEYS[2], 'head', 1)
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], offset .. '-0', 'e', ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return offset`;

/** @returns {Promise<import('./bare.js').Bare>} */
export async function open(url) {
  const client = createClient({ url });
  const subscriber = client.duplicate();
  await Promise.all([client.connect(), subscriber.connect()]);
  const sha = await client.scriptLoad(APPEND);
  const keys = ['2', 'bare:log', 'bare:state'];
  return {
    publish: (text) => client.sendCommand(['EVALSHA', sha, ...keys, text, KEPT, NOTICES]),
    subscribe: (listener) => subscriber.subscribe(NOTICES, listener),
    rangeReads: async () => {
      const stats = await client.info('commandstats');
      return Number(/^cmdstat_xrange:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
    },
    close: async () => {
      client.destroy();
      subscriber.destroy();
    },
  };
}
