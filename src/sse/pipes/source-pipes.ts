import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { SseCluster } from '../cluster/cluster.js';
import type { SubscriberCounts } from '../cluster/subscriber-counts.js';
import type { Will } from '../cluster/wills.js';
import { delay } from '../delay.js';
import { pipeBegan, pipeEnded } from '../diagnostics/diagnostics.js';
import type { Drain } from '../http/drain.js';
import type { SseEventInput } from '../log/sse-event.js';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import { LogLine } from '../log-line.js';
import { channelCompleted, hubClosed } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import { withTimeout } from '../with-timeout.js';
import { LOOK_INTERVAL, tellLast, willOfText, type OwnWill } from './pipe-will.js';
import { SourcePipe, type PipeOptions, type PipeSource } from './source-pipe.js';

/** Topic of the names of channels that were completed. */
const COMPLETED = 'sse-completed';

/** Wills that this process still has to carry out; those beyond it others carry out when this process has ended. */
const MAX_OWED = 10_000;

/**
 * The pipes of this process, and the ends of those whose process has ended without a word.
 *
 * A pipe leaves a will (pipe-will.ts), publishes what the source gives (source-pipe.ts), and ends with an event that
 * says why it has ended, unless the source has (pipe-failure.ts). Where listeners cannot be told at that time, as the
 * backplane is away, the will is owed, and carried out later. The wills of processes that have ended are carried out by
 * one instance of all, the leader.
 */
export class SourcePipes implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #running = new Map<SourcePipe, { readonly channel: string; readonly end: Promise<number> }>();
  readonly #owed = new Set<OwnWill>();
  readonly #closing = new AbortController();
  readonly #logger = new Logger('SseHub');
  #stopLeading: (() => void) | undefined;

  constructor(
    private readonly writer: ChannelWriter,
    private readonly subscribers: SubscriberCounts,
    private readonly cluster: SseCluster,
    private readonly settings: Pick<SseSettings, 'shutdown'>,
    private readonly drain: Pick<Drain, 'announce'>,
  ) {
    cluster.listen(COMPLETED, (channel) => this.#stop(channel as string));
  }

  onApplicationBootstrap(): void {
    this.#stopLeading = this.cluster.lead('sse-hub pipes', (signal) => void this.#endLost(signal));
  }

  /** @throws SseError as `hub.pipe()` */
  async run(channel: string, source: PipeSource<SseEventInput>, options: PipeOptions): Promise<number> {
    this.writer.rulesOf(channel);
    const count = (): Promise<number> => this.subscribers.everywhere(channel);
    const pipe = new SourcePipe(channel, source, options, this.writer, this.cluster.wills, count);
    const end = pipe.run(() => this.#owe(pipe.will));
    this.#running.set(pipe, { channel, end });
    this.#tell(channel, end);
    return end.finally(() => this.#running.delete(pipe));
  }

  #tell(channel: string, end: Promise<number>): void {
    const of = { hub: this.cluster.instance, channel, definition: this.writer.definitionOf(channel) };
    if (pipeBegan.hasSubscribers) pipeBegan.publish(of);
    const ended = (published: number | undefined, error?: unknown): void => {
      if (pipeEnded.hasSubscribers) pipeEnded.publish({ ...of, published, error });
    };
    end.then(ended, (error: unknown) => ended(undefined, error));
  }

  /** The running pipes of this process, each with its channel. */
  counts(): { readonly channel: string; readonly pipes: number }[] {
    return [...this.#running.values()].map(({ channel }) => ({ channel, pipes: 1 }));
  }

  /**
   * Stops the sources of a channel that was completed, on all instances, although they may wait for something. An instance
   * that does not hear of it stops its source at the next event, which is refused.
   */
  completed(channel: string): void {
    this.#stop(channel);
    this.cluster.broadcast(COMPLETED, channel).catch(() => undefined);
  }

  #stop(channel: string): void {
    for (const [pipe, running] of this.#running)
      if (running.channel === channel) pipe.stop('failed', channelCompleted(channel));
  }

  /** Runs before the streams are ended, so that listeners are told that they have not got everything. */
  async onModuleDestroy(): Promise<void> {
    await this.drain.announce();
    this.#closing.abort();
    this.#stopLeading?.();
    for (const pipe of this.#running.keys()) pipe.stop('closing', hubClosed());
    const told = Promise.allSettled([...this.#running.values()].map(({ end }) => end));
    // A schema that does not answer holds up the events after it. It must not hold up the application.
    await withTimeout(told, this.settings.shutdown.grace, () => undefined);
  }

  #owe(will: OwnWill): void {
    if (this.#owed.size >= MAX_OWED) return;
    this.#owed.add(will);
    if (this.#owed.size === 1) void this.#payOff();
  }

  /** Carries them out one after the other: if one fails, the others would as well. */
  async #payOff(): Promise<void> {
    const { signal } = this.#closing;
    for (const will of this.#owed) {
      while (!signal.aborted && this.#owed.has(will)) {
        try {
          await will.carryOut();
          this.#owed.delete(will);
        } catch {
          await pause(signal);
        }
      }
    }
  }

  /** Ends the channels of processes that have ended, while this instance leads. */
  async #endLost(signal: AbortSignal): Promise<void> {
    /** Ids of wills that could not be carried out, and of which the log says so. */
    const warned = new Set<string>();
    while (!signal.aborted) {
      // Without an answer the next look may have one.
      const wills = await this.cluster.wills.orphaned().catch(() => []);
      if (wills.length === 0) warned.clear();
      for (const will of wills) if (!signal.aborted) await this.#carryOut(will, warned);
      await pause(signal);
    }
  }

  async #carryOut({ instance, id, text }: Will, warned: Set<string>): Promise<void> {
    try {
      const will = willOfText(text);
      await tellLast(id, will, this.writer);
      if (will.complete) await this.writer.complete(will.channel);
      await this.cluster.wills.remove(id, instance);
      const { channel } = will;
      const line = `The process that piped a source into "${channel}" has ended; its listeners were told.`;
      this.#logger.warn(new LogLine(line, { channel, instance }));
    } catch (error) {
      // The next look tries again: a backplane comes back, and another version may lead that understands the will.
      if (warned.has(id)) return;
      warned.add(id);
      this.#logger.warn(`A channel of a process that has ended cannot be ended yet: ${String(error)}`);
    }
  }
}

const pause = (signal: AbortSignal): Promise<unknown> => delay(LOOK_INTERVAL, signal).catch(() => undefined);
