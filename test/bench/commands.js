import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The other end of `ChildProcess.ask()`: does what the bench asks this process for, and answers. */
export function serveCommands(commands) {
  process.on('message', async ({ number, command, args }) => {
    try {
      process.send({ number, value: await commands[command](args) });
    } catch (error) {
      process.send({ number, error: error.message });
    }
  });
  // The bench is gone, however it went; it may have gone before this process listened.
  process.on('disconnect', () => process.exit());
  if (!process.connected) process.exit();
}

/** The CPU time that this process has used, in µs, and its resident memory, in bytes. */
export function usage() {
  const { user, system } = process.cpuUsage();
  return { cpu: user + system, rss: process.memoryUsage.rss() };
}

/** What memory is left after the garbage is collected, in bytes: resident, and on the heap. */
export function memory() {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  // The second collects what finalizers of the first have let go of.
  collectGarbage();
  collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}
