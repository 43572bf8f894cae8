/** What is measured. The first is the floor that the others are compared with. */
export const systems = [
  { name: 'bare sockets', script: 'servers/floor.js' },
  { name: 'nestjs-sse-hub', script: 'servers/hub.js' },
  { name: 'better-sse', script: 'servers/better-sse.js' },
  { name: 'Nest @Sse()', script: 'servers/nest-stock.js' },
];

/** What metrics cost: the first is this package without them. */
export const measured = [
  { name: 'no metrics', script: 'servers/hub.js' },
  { name: 'metrics', script: 'servers/hub-metrics.js' },
];

/**
 * How they are measured. The events of a burst are published in rounds, and the next begins when every
 * stream has all events of the last: so no system is ahead of what the client can check.
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {number} streams how many are open
 * @property {number} calm milliseconds for what a server still has to do after its start, and after streams have come
 * @property {number} [perTurn] events that are published in one turn of the event loop
 * @property {number} [turns] of a round
 * @property {number} [rounds]
 * @property {number} [warmUp] rounds before the first that counts
 * @property {number} [idle] milliseconds to wait before memory is read; such a scenario publishes nothing
 */

/** @type {readonly Scenario[]} About three minutes, with three repetitions. */
export const full = [
  { name: '1 a turn', streams: 500, perTurn: 1, turns: 10, rounds: 32, warmUp: 6, calm: 250 },
  { name: '10 a turn', streams: 500, perTurn: 10, turns: 10, rounds: 5, warmUp: 3, calm: 250 },
  { name: '50 a turn', streams: 10, perTurn: 50, turns: 50, rounds: 12, warmUp: 8, calm: 250 },
  { name: 'idle', streams: 5_000, idle: 1_000, calm: 250 },
];

/** @type {readonly Scenario[]} Enough to see that everything works, too little for figures. */
export const quick = [
  { name: '1 a turn', streams: 50, perTurn: 1, turns: 10, rounds: 10, warmUp: 2, calm: 10 },
  { name: '10 a turn', streams: 50, perTurn: 10, turns: 10, rounds: 5, warmUp: 1, calm: 10 },
  { name: '50 a turn', streams: 5, perTurn: 50, turns: 10, rounds: 5, warmUp: 1, calm: 10 },
  { name: 'idle', streams: 200, idle: 50, calm: 10 },
];
