// What each combination goes through. A step that fails ends it, and its name is the result.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, sleep, start, until, within } from './processes.js';

/** Milliseconds in which a step is done, or has failed. */
const PATIENCE = 20_000;
/** Milliseconds in which a client would have asked again several times. */
const SILENCE = 2_000;

/**
 * Streams, resumes after a restart, is ended with 204, and stops.
 *
 * @param server `{ folder, command, args, env }`: how the application is started, `app.js` excluded
 * @param openClient gets an address; gives what `start()` of processes.js gives
 * @returns what failed, undefined if nothing
 */
export async function scenario(server, openClient) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const data = await mkdtemp(join(server.folder, 'data-'));
  const post = (path) => fetch(url + path, { method: 'POST', signal: AbortSignal.timeout(PATIENCE) });
  let app = await boot(server, { PORT: String(port), DATA: data });
  const client = openClient(`${url}/events`);
  const dataOf = () => client.lines.map((line) => JSON.parse(line).data);
  const sees = async (what, wanted) => {
    await until(PATIENCE, () => dataOf().length >= wanted.length);
    if (dataOf().join() !== wanted.join()) throw new Error(what);
  };
  const steps = {
    streams: async () => {
      await post('/publish?data=1');
      await sees('streams', ['1']);
      for (const data of ['2', '3']) await post(`/publish?data=${data}`);
      await sees('streams', ['1', '2', '3']);
    },
    'stops with an open stream': () => stop(app),
    'resumes after a restart': async () => {
      app = await boot(server, { PORT: String(port), DATA: data, PUBLISH: '4,5' });
      await sees('resumes', ['1', '2', '3', '4', '5']);
    },
    'ends with 204': async () => {
      const asked = async () => Number(await (await fetch(`${url}/asked`)).text());
      const before = await asked();
      await post('/complete');
      if (!(await until(PATIENCE, async () => (await asked()) > before))) throw new Error('does not ask');
      await sleep(SILENCE);
      if ((await asked()) > before + 1) throw new Error('asks again');
      if ((await fetch(`${url}/events`)).status !== 204 && dataOf().length !== 5) throw new Error('no 204');
    },
    stops: () => stop(app),
  };
  try {
    for (const [name, step] of Object.entries(steps)) {
      try {
        await step();
      } catch (error) {
        return { step: name, why: error.message, log: [...app.errors, ...client.errors].slice(-5) };
      }
    }
    return undefined;
  } finally {
    await client.stop();
    await app.stop();
    await rm(data, { recursive: true, force: true });
  }
}

async function boot({ folder, command, args, env }, more) {
  const app = start(command, [...args, 'app.js'], { cwd: folder, env: { ...process.env, ...env, ...more } });
  if (await until(PATIENCE, () => app.lines.includes('listening') || app.isOver())) {
    if (!app.isOver()) return app;
  }
  await app.stop();
  throw new Error(`does not start: ${app.errors.slice(-5).join(' ')}`);
}

async function stop(app) {
  const code = await within(PATIENCE, 'does not end', app.stop('SIGTERM'));
  // Nest ends the process by the signal.
  if (code !== 0 && code !== null) throw new Error(`ends with ${code}`);
}
