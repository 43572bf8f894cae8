import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `npm run bench -- [options]
  --write       puts the figures into README and the guide to speed, with its chart
  --quick       a run of some seconds that shows that everything works, no figures to trust
  --micro       the functions an event goes through, without any network
  --backplanes  several instances, on a redis-server and a nats-server that it starts
  --revoke      how long it takes until all streams of a user know that a channel was taken away
  --dashboard   what a page of many channels costs: bytes on the wire, time to the first event
  --growing     what each further connection, reconnect, channel and instance costs
  --inspector   what the inspector costs a delivery: none, one that nobody looks at, an open page
  --herd        clients that all come back at once, and all leave when the server is told to end
  --reps N      repetitions (5; 1 when quick)
  --seed N      of the events and of the order of the systems (1)
  --out FILE    where the JSON goes (in the folder for temporary files)`;

/** What the command line says. @throws TypeError when it says something else */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      write: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      micro: { type: 'boolean', default: false },
      backplanes: { type: 'boolean', default: false },
      revoke: { type: 'boolean', default: false },
      dashboard: { type: 'boolean', default: false },
      growing: { type: 'boolean', default: false },
      inspector: { type: 'boolean', default: false },
      herd: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      reps: { type: 'string' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
  });
  const { write, quick, help } = values;
  const kinds = ['micro', 'backplanes', 'revoke', 'dashboard', 'growing', 'inspector', 'herd'];
  const [kind = 'network', another] = kinds.filter((name) => values[name]);
  if (another) throw new TypeError(`--${kind} and --${another} are two runs.`);
  if (write && quick) throw new TypeError('--quick has no figures that are worth --write.');
  if (write && kind !== 'network') throw new TypeError(`--write has no place for what --${kind} measures.`);
  const file = `nestjs-sse-hub-bench${kind === 'network' ? '' : `-${kind}`}.json`;
  return {
    write,
    quick,
    kind,
    help,
    reps: wholeNumber('reps', values.reps ?? (quick ? '1' : '5'), 1),
    seed: wholeNumber('seed', values.seed, 0),
    out: values.out ?? join(tmpdir(), file),
  };
}

function wholeNumber(name, text, least) {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > 0xffffffff) {
    throw new TypeError(`--${name} is a whole number of at least ${least}, not "${text}".`);
  }
  return number;
}
