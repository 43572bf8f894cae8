import type { FollowedLog, LogFollower, SseBackplane } from '../../log/backplane.js';
import type { EventLog, LogEntry } from '../../log/event-log.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';

/** All that a log keeps. */
export const entriesOf = (log: EventLog): LogEntry[] => [...log.entriesAfter(0)];

/** Follows a channel, and remembers what it was given and told. */
export class Listener implements LogFollower {
  /** The entries of the log when it was handed over, and after them those of which the follower was told. */
  readonly seen: LogEntry[] = [];
  /** All news since the call of `follow`, in short: an offset, or the name of the call. */
  readonly told: (number | 'completed' | 'replaced')[] = [];
  /** Entries that were told of before they were in the log. */
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

  /** Finds a position as a reader does: in the log, or by `locate`. */
  async locate(position: Position): Promise<Position | undefined> {
    if (this.log.has(position)) return position;
    const located = await this.#followed!.locate?.(position);
    if (located && !this.log.has(located))
      throw new Error(`The log does not hold ${JSON.stringify(located)}.`);
    return located;
  }

  /** The entries after a position; undefined where some may be missing. */
  async after(position: Position): Promise<LogEntry[] | undefined> {
    const located = await this.locate(position);
    return located && [...this.log.entriesAfter(located.offset)];
  }

  appended(entry: LogEntry): void {
    this.told.push(entry.offset);
    if (!this.#followed) return;
    this.seen.push(entry);
    const { log } = this;
    const isInLog = log.has(entry) || entry.offset < log.floor.offset;
    if (!isInLog || log.head.offset < entry.offset) this.early.push(entry);
  }

  completed(): void {
    this.told.push('completed');
    if (this.#followed && !this.log.completed) this.early.push('completed');
  }

  replaced(log: EventLog): void {
    this.told.push('replaced');
    this.#log = log;
    this.seen.push(...entriesOf(log));
  }

  leaving(): void {
    // Tests replace it; there is nothing to remember.
  }

  moved(): void {
    // The log's head has it.
  }

  stop(): void {
    this.#followed!.stop();
  }
}

/**
 * Reads a log as late as it can, as a busy hub does: when entries are about to leave, and when it is asked what it has.
 */
export class LateReader {
  readonly #taken: LogEntry[] = [];
  #position: Position;

  constructor(private readonly listener: Listener) {
    this.#position = listener.log.head;
    listener.leaving = () => {
      this.#read();
    };
  }

  /** All entries since it began to read. */
  get taken(): readonly LogEntry[] {
    this.#read();
    return this.#taken;
  }

  #read(): void {
    const { log } = this.listener;
    for (const entry of log.entriesAfter(this.#position.offset)) {
      this.#taken.push(entry);
      this.#position = entry;
    }
  }
}
