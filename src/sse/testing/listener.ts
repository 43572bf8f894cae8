import type { FollowedLog, LogFollower, SseBackplane } from '../hub/backplane.js';
import type { EventLog, LogEntry } from '../hub/event-log.js';
import type { ChannelSettings } from '../sse.settings.js';

/** All that a log keeps. */
export const entriesOf = (log: EventLog): LogEntry[] =>
  Array.from({ length: log.size }, (_, i) => log.at(i)!);

/** One who follows a channel, and remembers what it was given and told. */
export class Listener implements LogFollower {
  /** What was in the log when it was handed over, and after it what was told of since then. */
  readonly seen: LogEntry[] = [];
  /** All that was told, from the call of `follow` on, in short: an offset, or what happened. */
  readonly told: (number | 'completed' | 'emptying' | 'replaced')[] = [];
  /** What was told of before it was in the log. */
  readonly early: unknown[] = [];
  /** Settles when the log is handed over. */
  readonly ready: Promise<this>;
  #followed: FollowedLog | undefined;
  #log: EventLog | undefined;

  constructor(backplane: SseBackplane, channel: string, settings: ChannelSettings) {
    this.ready = backplane.follow(channel, settings, this).then((followed) => {
      this.#followed = followed;
      this.#log ??= followed.log;
      this.seen.push(...entriesOf(followed.log));
      return this;
    });
  }

  get log(): EventLog {
    return this.#log!;
  }

  get offsets(): number[] {
    return this.seen.map(({ offset }) => offset);
  }

  appended(entry: LogEntry): void {
    this.told.push(entry.offset);
    if (!this.#followed) return;
    this.seen.push(entry);
    if (entriesOf(this.log).at(-1)?.offset !== entry.offset || this.log.head !== entry.offset)
      this.early.push(entry);
  }

  completed(): void {
    this.told.push('completed');
    if (this.#followed && !this.log.completed) this.early.push('completed');
  }

  emptying(): void {
    this.told.push('emptying');
  }

  replaced(log: EventLog): void {
    this.told.push('replaced');
    this.#log = log;
    this.seen.push(...entriesOf(log));
  }

  stop(): void {
    this.#followed!.stop();
  }
}
