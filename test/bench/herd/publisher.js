import { monitorEventLoopDelay } from 'node:perf_hooks';
import { serveCommands, usage } from '../commands.js';
import { BenchEvents } from '../events.js';

const events = new BenchEvents(Number(process.argv[2]));

/**
 * Makes a server of a herd measurable: it publishes, and knows how long its event loop was held.
 *
 * @param {object} system
 * @param {import('node:net').Server} system.server
 * @param {(channel: string, data: object) => unknown} system.publish answers with the id, or a Promise of it
 */
export function serve({ server, publish }) {
  const listening = new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port));
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let seq = 0;
  let publishing;

  // A signal ends what is published, and whoever measures is told how much that was.
  process.once('SIGTERM', () => {
    clearInterval(publishing);
    process.send({ published: seq });
  });

  serveCommands({
    port: () => listening,
    usage,
    /** Publishes an event, and events 0 to `count - 1` after it; answers with the id of the first. */
    async fill({ count }) {
      const first = publish('bench', { seq: -1 });
      while (seq < count) publish('bench', events.at(seq++));
      return first;
    },
    /** Publishes so many bytes to those that do not read. */
    async bulk({ bytes }) {
      for (let left = bytes; left > 0; left -= BLOCK.length) await publish('bulk', BLOCK);
    },
    /** Publishes up to event `count - 1`, one in each of so many milliseconds; answers when it has begun. */
    publish({ count, every }) {
      const [began, first] = [performance.now(), seq];
      publishing = setInterval(() => {
        // As many as are due, however late the timer is.
        const due = first + Math.ceil((performance.now() - began) / every);
        while (seq < Math.min(due, count)) publish('bench', events.at(seq++));
        if (seq === count) clearInterval(publishing);
      }, every);
    },
    /** The longest time in milliseconds in which the event loop was held since the last call. */
    held() {
      const longest = delay.max / 1e6;
      delay.reset();
      return longest;
    },
  });
}

const BLOCK = 'x'.repeat(128 * 1024);
