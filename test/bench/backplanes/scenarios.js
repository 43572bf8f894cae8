/**
 * What is measured of each backplane (or of one `only`): with what it is compared, what the figures are, and what is to be
 * reached. The ratio is that of the hub's figure to the other.
 */
export const rows = [
  { scenario: 'latency', other: 'bareP50', hub: 'hubP50', title: 'publish to client, p50: ms' },
  { scenario: 'latency', other: 'bareP99', hub: 'hubP99', title: 'publish to client, p99: ms' },
  {
    scenario: 'publishing',
    other: 'alike',
    hub: 'hub',
    title: 'acknowledged publishes, with as much work for the server: 1/s',
    goal: 'at least 0.70×',
  },
  {
    scenario: 'publishing',
    other: 'bare',
    hub: 'hub',
    title: 'acknowledged publishes, against XADD and PUBLISH alone: 1/s',
    only: 'redis',
  },
  {
    scenario: 'fan-out',
    other: 'memory',
    hub: 'cpuPerDelivery',
    title: 'CPU time of a delivery, against the memory backplane: µs',
    goal: 'at most 1.05×',
  },
  { scenario: 'resuming', hub: 'rangeReads', title: 'clients that resume at once: range reads', goal: '1' },
];

/** About two minutes, with three repetitions. */
export const full = {
  // Long enough for Node to compile most of what an event passes, as in a server that runs for days.
  latency: { turns: 60, perTurn: 100 },
  publishing: { turns: 4, perTurn: 5_000, inFlight: 500 },
  // One event at a time: more would be written together, or apart, as they happen to be told of.
  fanOut: { name: 'fan-out', streams: 500, perTurn: 1, turns: 1, rounds: 200, warmUp: 50, calm: 250 },
  resuming: { streams: 1_000, events: 50 },
};

/** Enough to see that everything works, too little for figures. */
export const quick = {
  latency: { turns: 2, perTurn: 20 },
  publishing: { turns: 2, perTurn: 500, inFlight: 100 },
  fanOut: { name: 'fan-out', streams: 50, perTurn: 1, turns: 1, rounds: 30, warmUp: 5, calm: 10 },
  resuming: { streams: 200, events: 20 },
};
