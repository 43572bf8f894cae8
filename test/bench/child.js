import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const KEPT_OUTPUT = 2_000;
const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));

const runs = (file, ...args) => spawnSync(file, args, { stdio: 'ignore' }).status === 0;

/** Whether processes can be kept on a core of their own: where there are two, and `taskset`. */
export const canPin = () =>
  availableParallelism() > 1 &&
  ['0', '1'].every((core) => runs('taskset', '-c', core, process.execPath, '--version'));

/** Keeps a process that runs already on a core. */
export const pin = (pid, core) => runs('taskset', '-cp', String(core), String(pid));

/** A process that is asked for things over IPC, one at a time or several. */
export class ChildProcess {
  #child;
  #output = '';
  #number = 0;
  #asked = new Map();
  #ended;

  /**
   * @param {string} script beside this file
   * @param {readonly string[]} args
   * @param {number | undefined} core the core to keep it on
   */
  constructor(script, args, core) {
    const command = [process.execPath, fileURLToPath(new URL(script, import.meta.url)), ...args];
    if (core !== undefined) command.unshift('taskset', '-c', String(core));
    this.#child = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    living.add(this.#child);
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve)).then(() => {
      living.delete(this.#child);
      this.#fail(new Error(`${script} ended: ${this.#output.trim()}`));
    });
    this.#child.once('error', (error) => this.#fail(error));
    this.#child.on('message', (answer) => this.#answered(answer));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
  }

  /** Has the process do something, and waits for what it answers; at most so many milliseconds. */
  ask(command, args, patience = 30_000) {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const late = () => this.#answered({ number, error: `no answer to "${command}" in ${patience} ms` });
      this.#asked.set(number, { resolve, reject, timer: setTimeout(late, patience) });
      this.#child.send({ number, command, args }, (error) => error && this.#fail(error));
    });
  }

  /** Tells the process to end, and waits until it has: answers with what it has said meanwhile. */
  async terminate(patience) {
    let said = {};
    this.#child.on('message', (message) => (said = message));
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patience);
    this.#child.kill('SIGTERM');
    await this.#ended;
    clearTimeout(timer);
    return said;
  }

  /** Ends the process, and waits until it has. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #answered({ number, value, error }) {
    const asked = this.#asked.get(number);
    if (!asked) return;
    this.#asked.delete(number);
    clearTimeout(asked.timer);
    if (error === undefined) asked.resolve(value);
    else asked.reject(new Error(error));
  }

  #fail({ message }) {
    for (const number of this.#asked.keys()) this.#answered({ number, error: message });
  }
}
