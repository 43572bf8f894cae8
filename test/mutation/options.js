import { parseArgs } from 'node:util';

/** Which tests guard a room, beside those of its own folders. */
const FURTHER_GUARDS = {
  protocol: [],
  log: ['test/contract/memory', 'test/e2e/streams/history', 'test/e2e/streams/gap'],
  channels: ['test/e2e/streams/channels', 'test/e2e/streams/burst', 'test/e2e/publishing'],
  publishing: [],
  streams: ['test/e2e/http/latest', 'test/e2e/http/slow-clients', 'test/e2e/endpoint', 'test/e2e/snapshots'],
  http: [],
  diagnostics: ['test/e2e/metrics', 'test/e2e/opentelemetry', 'test/e2e/inspector'],
  instruments: ['test/e2e/metrics', 'test/e2e/opentelemetry'],
  metrics: ['test/e2e/app/metrics'],
  opentelemetry: [],
  inspector: ['test/e2e/app/inspector', 'test/e2e/app/docs'],
};

const rooms = Object.keys(FURTHER_GUARDS);

export const usage = `npm run mutation -- [options]
  --room NAME   ${rooms.join(', ')}
  --seed N      picks the mutants (1)
  --count N     how many (40)
  --out FILE    where the results go as JSON`;

/** Paths of a room's tests, as Jest takes them. */
export function guardsOf(room) {
  return [`test/unit/${room}/`, `test/e2e/${room}/`, ...FURTHER_GUARDS[room]];
}

/** What the command line says. @throws TypeError when it says something else */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      room: { type: 'string' },
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '40' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { help, room, out } = values;
  if (!help && !rooms.includes(room)) throw new TypeError(`--room is one of ${rooms.join(', ')}.`);
  return {
    help,
    room,
    out,
    seed: wholeNumber('seed', values.seed),
    count: wholeNumber('count', values.count),
  };
}

function wholeNumber(name, text) {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError(`--${name} is a whole number, not "${text}".`);
  return Number(text);
}
