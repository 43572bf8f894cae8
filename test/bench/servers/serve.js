import { setImmediate as turn } from 'node:timers/promises';
import { memory, serveCommands, usage } from '../commands.js';
import { BenchEvents } from '../events.js';

const seed = Number(process.argv[2]);
let events = new BenchEvents(seed);

/**
 * Makes a server measurable.
 *
 * @param {object} system
 * @param {import('node:net').Server} system.server
 * @param {(data: object) => unknown} system.publish sends an event to all streams
 * @param {() => void} [system.endTurn] called when all events of a turn of the event loop are published
 * @param {() => number} system.subscribers how many streams would get an event now
 */
export function serve({ server, publish, endTurn, subscribers }) {
  const listening = new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port));
  });
  serveCommands({
    port: () => listening,
    usage,
    memory,
    subscribers,
    /** Says what is published. */
    prepare(payload) {
      events = new BenchEvents(seed, payload);
    },
    /** Publishes events `from` to `to - 1`, `perTurn` in each turn of the event loop. */
    async publish({ from, to, perTurn }) {
      for (let seq = from; seq < to; await turn()) {
        const end = Math.min(to, seq + perTurn);
        while (seq < end) publish(events.at(seq++));
        endTurn?.();
      }
    },
  });
}
