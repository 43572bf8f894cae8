import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../support/free-port.js';
import { start } from '../../support/process.js';
import { requireProgram } from '../../support/programs.js';
import { PATIENCE, type BrowserEngine } from './browser-engine.js';

/** Milliseconds that the processes have to end by themselves. */
const GRACE = 3_000;

/** WebKitGTK, in MiniBrowser, on a screen that nobody sees. It is driven by WebDriver over HTTP. */
export async function launchWebKit(): Promise<BrowserEngine> {
  const [xvfb, webDriver] = [requireProgram('Xvfb'), requireProgram('WebKitWebDriver')];
  // The X server chooses the number of the screen: two that start at once do not get the same one.
  const screen = await start(xvfb, ['-displayfd', '1', '-nolisten', 'tcp'], /^(\d+)\n/m);
  const home = await mkdtemp(join(tmpdir(), 'webkit-'));
  const port = await freePort();
  const driver = spawn(webDriver, [`--port=${port}`, '--host=127.0.0.1'], {
    env: { ...process.env, ...environment(home), DISPLAY: `:${screen.match[1]!}` },
    // The browser and its processes are in a group with the driver, and end with it.
    detached: true,
    stdio: 'ignore',
  });
  const close = async (): Promise<void> => {
    await endGroup(driver);
    await screen.stop();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const session = await Session.begin(`http://127.0.0.1:${port}`, driver);
    return {
      open: async (url) => {
        await session.command('url', { url });
      },
      evaluate: (expression) => session.evaluate(expression),
      close: () => session.end().finally(close),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As a container has it: no sandbox, no graphics card, no session bus; and files only in a folder of its own. */
const environment = (home: string): NodeJS.ProcessEnv => ({
  WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
  WEBKIT_DISABLE_COMPOSITING_MODE: '1',
  LIBGL_ALWAYS_SOFTWARE: '1',
  DBUS_SESSION_BUS_ADDRESS: 'disabled:',
  NO_AT_BRIDGE: '1',
  HOME: home,
  XDG_RUNTIME_DIR: home,
});

async function endGroup(leader: ChildProcess): Promise<void> {
  const { pid } = leader;
  if (pid === undefined) return;
  const signalled = (signal: NodeJS.Signals): boolean => {
    try {
      return process.kill(-pid, signal);
    } catch {
      return false; // nobody is left in it
    }
  };
  if (leader.exitCode === null && signalled('SIGTERM')) {
    await Promise.race([once(leader, 'exit'), delay(GRACE, undefined, { ref: false })]);
  }
  signalled('SIGKILL');
}

/** A session of WebDriver: one browser. */
class Session {
  private constructor(private readonly url: string) {}

  static async begin(server: string, driver: ChildProcess): Promise<Session> {
    await untilReady(server, driver);
    const capabilities = { alwaysMatch: { timeouts: { script: PATIENCE + 1_000, pageLoad: PATIENCE } } };
    const { sessionId } = (await call('POST', `${server}/session`, { capabilities })) as {
      sessionId: string;
    };
    return new Session(`${server}/session/${sessionId}`);
  }

  command(name: string, parameters: object): Promise<unknown> {
    return call('POST', `${this.url}/${name}`, parameters);
  }

  evaluate(expression: string): Promise<unknown> {
    return this.command('execute/sync', { script: `return (${expression})`, args: [] });
  }

  async end(): Promise<void> {
    await call('DELETE', this.url);
  }
}

/** Asks the driver, which tells nobody when it listens, at longer and longer intervals. */
async function untilReady(server: string, driver: ChildProcess): Promise<void> {
  const end = performance.now() + PATIENCE;
  for (let pause = 10; performance.now() < end && driver.exitCode === null; pause *= 1.5) {
    const status = await call('GET', `${server}/status`).catch(() => undefined);
    if (status) return;
    await delay(pause);
  }
  throw new Error(`WebKitWebDriver does not answer (its exit code: ${driver.exitCode ?? 'none, it runs'}).`);
}

async function call(method: string, url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body && { body: JSON.stringify(body) }),
    // The driver has its own limits, and says more when it is the first to give up.
    signal: AbortSignal.timeout(PATIENCE + 2_000),
  });
  const { value } = (await response.json()) as { value: unknown };
  if (response.ok) return value;
  const { error, message } = value as { error: string; message: string };
  throw new Error(`${error}: ${message}`);
}
