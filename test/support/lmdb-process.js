// A process that has a data directory of LMDB and does with it what its parent says. Run with the directory.
import { lmdbBackplane } from '../../dist/sse/backplanes/lmdb/index.js';
import { storedEvent } from '../../dist/sse/log/stored-event.js';
import { channelSettings, moduleSettings } from '../../dist/sse/sse.settings.js';

/** @typedef {{ flood: number } | { append: number } | { fill: number } | { purge: true } | { purgeBeside: number }} Command */

const CHANNEL = 'a';
/** Events that are on their way at the same time. */
const AT_ONCE = 20;

const { limits, channel } = moduleSettings();
const settings = channelSettings({ history: { count: Infinity, bytes: Infinity }, ttl: Infinity }, channel);
const { backplane } = await lmdbBackplane({ path: process.argv[2] ?? '' })(limits);

/** @param {unknown} message */
const say = (message) => process.send?.(message);

/**
 * @param {unknown} data
 * @param {string} [publishId]
 */
const append = (data, publishId) =>
  backplane.append(CHANNEL, settings, storedEvent({ data }, true, Infinity), publishId);

/**
 * Publishes the numbers from this one on, and says of each when it is acknowledged.
 * @param {number} next
 */
function flood(next) {
  const one = async () => {
    for (;;) {
      const n = next++;
      say({ n, ...(await append(n, `number ${n}`)) });
    }
  };
  for (let i = 0; i < AT_ONCE; i++) void one();
}

/** @param {Promise<unknown>} call */
const outcomeOf = (call) =>
  call.then(
    () => 'done',
    (error) => error.code,
  );

/**
 * Publishes events of so many bytes until one is refused.
 * @param {number} bytes
 */
async function fill(bytes) {
  for (;;) {
    const outcomes = await Promise.all(
      Array.from({ length: Math.min(1_000, 50_000 / bytes) }, () => outcomeOf(append('x'.repeat(bytes)))),
    );
    if (outcomes.includes('PUBLISH_REJECTED')) return 'full';
  }
}

/**
 * Lets go of all events while others publish what there is no room for.
 * @param {number} bytes
 */
function purgeBeside(bytes) {
  void outcomeOf(append('x'.repeat(bytes)));
  const purged = outcomeOf(backplane.purge(CHANNEL));
  void outcomeOf(append('x'.repeat(bytes)));
  return purged;
}

process.on('message', async (/** @type {Command} */ command) => {
  if ('flood' in command) flood(command.flood);
  else if ('append' in command) say(await outcomeOf(append('x'.repeat(command.append))));
  else if ('fill' in command) say(await fill(command.fill));
  else if ('purgeBeside' in command) say(await purgeBeside(command.purgeBeside));
  else say(await outcomeOf(backplane.purge(CHANNEL)));
});
say('ready');
