/**
 * What is measured. The events of a burst are published in rounds, and the next begins when every stream has all events
 * of the last: so no system is ahead of what the client can check.
 *
 * @typedef {object} System
 * @property {string} name
 * @property {string} script
 * @property {readonly string[]} [args]
 * @property {readonly [string, string]} [around] what it puts before and after the data of each event
 * @property {string} [needs] the package that it needs and this repository does not have
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} [floor] the system that the others are compared with, if it is not the table's
 * @property {readonly string[]} [without] systems that are not measured
 * @property {number} streams how many are open
 * @property {number} calm milliseconds for what a server still has to do after its start, and after streams have come
 * @property {import('./events.js').Payload} [payload] of each event
 * @property {string} [accepts] the Accept-Encoding of the clients
 * @property {number} [perTurn] events that are published in one turn of the event loop
 * @property {number} [turns] of a round
 * @property {number} [rounds]
 * @property {number} [warmUp] rounds before the first that counts
 * @property {number} [idle] milliseconds to wait before memory is read; such a scenario publishes nothing
 *
 * @typedef {object} Table
 * @property {string} name
 * @property {string} floor the system that the others are compared with
 * @property {readonly System[]} systems
 * @property {readonly Scenario[]} scenarios
 * @property {readonly string[]} figures what a burst is measured by
 */

const EACH_EVENT = 'bare sockets, a write for each event';

const beside = [
  { name: 'bare sockets', script: 'servers/floor.js' },
  { name: EACH_EVENT, script: 'servers/floor.js', args: ['each event'] },
  { name: 'bare Nest route', script: 'servers/nest-route.js' },
  { name: 'nestjs-sse-hub', script: 'servers/hub.js' },
  { name: 'better-sse', script: 'servers/better-sse.js' },
  { name: 'Nest @Sse()', script: 'servers/nest-stock.js' },
  { name: '@fastify/sse', script: 'servers/fastify-sse.js', needs: '@fastify/sse' },
  {
    name: 'transmit',
    script: 'servers/transmit.js',
    needs: '@boringnode/transmit',
    around: ['{"channel":"bench","payload":', '}'],
  },
];

/** This package, streamed in other ways. */
const ways = [
  { name: 'one channel', script: 'servers/hub.js' },
  { name: 'ten channels', script: 'servers/hub.js', args: ['ten channels'] },
  { name: 'filter', script: 'servers/hub.js', args: ['filter'] },
  { name: 'operator', script: 'servers/hub.js', args: ['operator'] },
  { name: 'with metrics', script: 'servers/hub.js', args: ['metrics'] },
];

const compressed = [
  { name: 'plain', script: 'servers/hub.js' },
  { name: '`compress: true`', script: 'servers/hub.js', args: ['compress'] },
  { name: 'gzip for each client', script: 'servers/nest-route.js', args: ['gzip'] },
];

const text = (bytes) => ({ of: 'text', bytes });
const orders = (bytes) => ({ of: 'orders', bytes });

/** @type {readonly Table[]} Up to half an hour, with five repetitions. */
export const full = [
  {
    name: 'systems',
    floor: 'bare sockets',
    systems: beside,
    figures: ['cpuPerDelivery'],
    scenarios: [
      burst('1,000 clients, 1 event a turn', 1_000, text(200), { turns: 10, rounds: 6, warmUp: 3 }),
      burst('300 clients, 1 of 2 kB a turn', 300, text(2_000), { turns: 10, rounds: 18, warmUp: 6 }),
      burst('3,000 clients, 1 of 80 B a turn', 3_000, text(80), { turns: 5, rounds: 4, warmUp: 2 }),
      burst('1,000 clients, 10 a turn', 1_000, text(200), { perTurn: 10, turns: 5, rounds: 4, warmUp: 2 }),
      burst('10 clients, 50 a turn', 10, text(200), { perTurn: 50, turns: 50, rounds: 12, warmUp: 8 }),
      {
        name: '5,000 idle streams',
        floor: 'bare Nest route',
        without: [EACH_EVENT],
        streams: 5_000,
        idle: 500,
        calm: 250,
      },
    ],
  },
  {
    name: 'ways',
    floor: 'one channel',
    systems: ways,
    figures: ['cpuPerDelivery'],
    scenarios: [
      burst('1,000 clients, 1 event a turn', 1_000, text(200), { turns: 10, rounds: 6, warmUp: 3 }),
      burst('1,000 clients, 10 a turn', 1_000, text(200), { perTurn: 10, turns: 5, rounds: 4, warmUp: 2 }),
    ],
  },
  {
    name: 'compression',
    floor: 'plain',
    systems: compressed,
    figures: ['bytesPerDelivery', 'cpuPerDelivery'],
    scenarios: [
      burst('100 clients, events of 200 B', 100, orders(200), gzipped({ rounds: 20, warmUp: 8 })),
      burst('100 clients, events of 2 kB', 100, orders(2_000), gzipped({ rounds: 12, warmUp: 5 })),
    ],
  },
];

/** @type {readonly Table[]} Enough to see that everything works, too little for figures. */
export const quick = full.map((table) => ({
  ...table,
  scenarios: table.scenarios.map((scenario) => ({
    ...scenario,
    streams: Math.ceil(scenario.streams / 50),
    calm: 10,
    ...(scenario.idle === undefined ? { turns: 4, rounds: 2, warmUp: 1 } : { idle: 10 }),
  })),
}));

function burst(name, streams, payload, { perTurn = 1, ...sizes }) {
  const without = perTurn === 1 ? [EACH_EVENT] : [];
  return { name, streams, payload, perTurn, calm: 250, without, ...sizes };
}

function gzipped(sizes) {
  return { turns: 10, accepts: 'gzip', ...sizes };
}

/**
 * The systems that a scenario of the table is measured with.
 *
 * @param {Table} table
 * @param {Scenario} scenario
 */
export const measuredIn = ({ systems }, { without = [] }) =>
  systems.filter(({ name }) => !without.includes(name));
