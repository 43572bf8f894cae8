import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `npm run bench -- [options]
  --quick       a run of some seconds that shows that everything works, no figures to trust
  --micro       the functions an event goes through, without any network
  --backplanes  several instances, on a redis-server and a nats-server that it starts
  --revoke      how long it takes until all streams of a user know that a channel was taken away
  --metrics     this package without metrics, and with them
  --dashboard   what a page of many channels costs: bytes on the wire, time to the first event
  --growing     what each further connection, reconnect, channel and instance costs
  --herd        clients that all come back at once, and all leave when the server is told to end
  --reps N      repetitions (3, of a herd 5; 1 when quick)
  --seed N      of the events and of the order of the systems (1)
  --out FILE    where the JSON goes (in the folder for temporary files)`;

/** What the command line says. @throws TypeError when it says something else */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      micro: { type: 'boolean', default: false },
      backplanes: { type: 'boolean', default: false },
      metrics: { type: 'boolean', default: false },
      revoke: { type: 'boolean', default: false },
      dashboard: { type: 'boolean', default: false },
      growing: { type: 'boolean', default: false },
      herd: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      reps: { type: 'string' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
  });
  const { quick, help } = values;
  const kinds = ['micro', 'backplanes', 'metrics', 'revoke', 'dashboard', 'growing', 'herd'];
  const [kind = 'network', another] = kinds.filter((name) => values[name]);
  if (another) throw new TypeError(`--${kind} and --${another} are two runs.`);
  const file = `nestjs-sse-hub-bench${kind === 'network' ? '' : `-${kind}`}.json`;
  return {
    quick,
    kind,
    help,
    reps: wholeNumber('reps', values.reps ?? (quick ? '1' : kind === 'herd' ? '5' : '3'), 1),
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
