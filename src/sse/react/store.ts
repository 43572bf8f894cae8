import { guarded } from '../client/environment.js';
import { inNextFrame } from './frames.js';

type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly end: () => void }
  | { readonly kind: 'ending'; readonly end: () => void; readonly timer: ReturnType<typeof setTimeout> };

/**
 * A value of one hook, which comes from outside of React, in the form that `useSyncExternalStore()` takes.
 *
 * ```
 * idle ──mounted──► running ──unmounted──► ending ──► idle
 *                      ◄──mounted again──────┘
 * ```
 *
 * Its source is open while the component is mounted. The end is put off to the next task: StrictMode and an effect that
 * is run anew unmount and mount at once. A component that `<Activity>` hides is unmounted, and goes on later from where it was.
 *
 * What comes is shown once a frame: until then the snapshot stays the same object.
 */
export abstract class Store<Value, Options> {
  #phase: Phase = { kind: 'idle' };
  #shown: Value;
  #changed: (() => void) | undefined;
  #tasks: (() => void)[] = [];

  /**
   * @param value at the beginning
   * @param options of the newest render
   * @param onServer the value on the server, and while its page is hydrated
   */
  constructor(
    protected value: Value,
    protected options: Options,
    onServer = value,
  ) {
    this.#shown = value;
    this.getServerSnapshot = () => onServer;
  }

  readonly getServerSnapshot: () => Value;

  readonly getSnapshot = (): Value => this.#shown;

  readonly subscribe = (changed: () => void): (() => void) => {
    this.#changed = changed;
    const phase = this.#phase;
    if (phase.kind === 'ending') clearTimeout(phase.timer);
    this.#phase = { kind: 'running', end: phase.kind === 'idle' ? this.begin() : phase.end };
    return () => this.#unsubscribe();
  };

  /** Takes the options of the newest render, whose functions are called from now on. */
  renew(options: Options): void {
    this.options = options;
  }

  /** Begins to get values. @returns ends that */
  protected abstract begin(): () => void;

  protected set(value: Value): void {
    this.value = value;
    inNextFrame(this.#show);
  }

  /** Calls a function of the component in the next frame, so that what it sets is rendered with the rest. */
  protected later(task: () => void): void {
    this.#tasks.push(task);
    inNextFrame(this.#show);
  }

  readonly #show = (): void => {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) guarded(task);
    if (this.#shown === this.value) return;
    this.#shown = this.value;
    this.#changed?.();
  };

  #unsubscribe(): void {
    this.#changed = undefined;
    const { end } = this.#phase as Phase & { kind: 'running' };
    const timer = setTimeout(() => {
      this.#phase = { kind: 'idle' };
      end();
      // What has come counts as seen: it does not come again.
      this.#show();
    });
    this.#phase = { kind: 'ending', end, timer };
  }
}

/** Handlers and other functions, those of the newest render whenever they are called. */
export const newest = <Options extends object>(options: Options, get: () => Options): Options =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      typeof value === 'function'
        ? (...args: unknown[]): unknown => {
            // Where the newest render gives none, what it does not do must not get lost: parse() for instance.
            const call = (get()[name as keyof Options] ?? value) as (...args: unknown[]) => unknown;
            return call(...args);
          }
        : (value as unknown),
    ]),
  ) as Options;
