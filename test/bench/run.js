// `npm run bench`: see options.js for what it can be told, tables.js for what it measures.
import { writeFile } from 'node:fs/promises';
import { canPin, pin } from './child.js';
import { benchNetwork } from './network.js';
import { readOptions, usage } from './options.js';
import { full, quick } from './tables.js';

// An exit kills what is running.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

async function network(options, log) {
  // The client's core is this process's too, which sleeps while something is measured.
  const isPinned = canPin() && pin(process.pid, 1);
  return benchNetwork({ ...options, tables: options.quick ? quick : full, isPinned }, log);
}

async function micro(options, log) {
  const { benchMicro } = await import('./micro.js');
  return benchMicro(options, log);
}

async function backplanes(options, log) {
  const { benchBackplanes } = await import('./backplanes/run.js');
  return benchBackplanes(options, log);
}

async function revoke(options, log) {
  const { benchRevoke } = await import('./revoke/run.js');
  return benchRevoke(options, log);
}

async function dashboard(options, log) {
  const { benchDashboard } = await import('./dashboard/run.js');
  return benchDashboard(options, log);
}

async function growing(options, log) {
  const { benchGrowing } = await import('./growing/run.js');
  return benchGrowing(options, log);
}

async function inspector(options, log) {
  const { benchInspector } = await import('./inspector/run.js');
  return benchInspector(options, log);
}

async function herd(options, log) {
  const { benchHerd } = await import('./herd/run.js');
  return benchHerd(options, log);
}

const kinds = { network, micro, backplanes, revoke, dashboard, growing, inspector, herd };

async function main(options) {
  const began = new Date();
  const { table, ...result } = await kinds[options.kind](options, (line) => console.error(line));
  const { seed, reps } = options;
  const how = { at: began.toISOString(), seed, reps };
  await writeFile(options.out, `${JSON.stringify({ ...how, ...result }, null, 2)}\n`);

  const seconds = Math.round((Date.now() - began.getTime()) / 1_000);
  console.log(`\n${table}\n`);
  console.log(
    `${began.toISOString().slice(0, 10)}, ${result.machine}; seed ${seed}, ${seconds} s. JSON: ${options.out}`,
  );
  if (!result.isRight) {
    console.error('Not every event arrived once, in order and as it was published: see above.');
    process.exitCode = 1;
  } else if (options.write) {
    const { writeResults } = await import('./write.js');
    await writeResults(result, how);
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
  else await main(options);
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n\n${usage}` : error);
  process.exitCode = 1;
}
