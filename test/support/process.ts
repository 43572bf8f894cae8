import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The folder of this package. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeout?: number;
}

/** Runs a program to its end and gives what it printed; rejects, with the output, when it fails. */
export async function run(file: string, args: string[], options: RunOptions = {}) {
  return promisify(execFile)(file, args, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024, ...options });
}

export interface StartOptions extends RunOptions {
  /** In a process group of its own, which `process.kill(-pid)` reaches as a whole. */
  detached?: boolean;
}

export interface RunningProcess {
  /** What the awaited pattern matched. */
  match: RegExpExecArray;
  pid: number;
  /** Everything printed so far. */
  output: () => string;
  /** Resolves at its end, with the exit code, null after a kill. */
  ended: Promise<number | null>;
  /** Sends a signal (SIGTERM by default) and waits for the end; gives the exit code, null after a kill. */
  stop: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/** Starts a program that goes on running, and waits until it has printed what `ready` matches. */
export function start(
  file: string,
  args: string[],
  ready: RegExp,
  options: StartOptions = {},
): Promise<RunningProcess> {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));

  return new Promise((resolve, reject) => {
    const read = (chunk: string): void => {
      output += chunk;
      const match = ready.exec(output);
      if (match === null || child.pid === undefined) return;
      const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
        child.kill(signal);
        return ended;
      };
      resolve({ match, pid: child.pid, output: () => output, ended, stop });
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('error', reject);
    void ended.then((code) => {
      reject(new Error(`${file} ended with ${code ?? 'a signal'} before it was ready:\n${output}`));
    });
  });
}

/** Starts the demo app as `npm start` does, on a free port of this machine unless `env.PORT` names one. */
export async function startDemo(env: NodeJS.ProcessEnv = {}): Promise<RunningProcess & { url: string }> {
  const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  if (!existsSync(main)) throw new Error('There is no dist/main.js: run `npm run build` first.');
  const app = await start(process.execPath, [main], /https?:\/\/[^\s/]+:(\d+)/, {
    env: { ...process.env, PORT: '0', ...env },
  });
  return { ...app, url: `http://127.0.0.1:${app.match[1] ?? ''}` };
}
