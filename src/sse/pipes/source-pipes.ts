import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { hubClosed } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import { withTimeout } from '../with-timeout.js';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import type { SseCluster } from '../cluster/cluster.js';
import type { SubscriberCounts } from '../cluster/subscriber-counts.js';
import type { SseEventInput } from '../log/sse-event.js';
import { LOOK_INTERVAL, LostPipes } from './lost-pipes.js';
import type { OwnWill } from './own-will.js';
import type { Source } from '../publishing/published-source.js';
import { SourcePipe, type PipeOptions } from './source-pipe.js';

/** Ends of pipes that could not be told yet; of one more the others learn when this process has ended. */
const MAX_OWED = 10_000;

/** The sources that this process feeds into channels, and those of processes that have ended. */
export class SourcePipes implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #running = new Map<SourcePipe, Promise<number>>();
  /** What listeners could not be told, as the backplane was away. */
  readonly #owed = new Set<OwnWill>();
  readonly #lost: LostPipes;
  #looking: NodeJS.Timeout | undefined;
  #stopWatching: (() => void) | undefined;
  #isClosing = false;

  constructor(
    private readonly writer: ChannelWriter,
    private readonly subscribers: SubscriberCounts,
    private readonly cluster: SseCluster,
    private readonly settings: Pick<SseSettings, 'shutdown'>,
  ) {
    this.#lost = new LostPipes(cluster, writer);
  }

  onApplicationBootstrap(): void {
    this.#stopWatching = this.#lost.watch();
  }

  /** @throws SseError as `hub.pipe()` */
  async run(channel: string, source: Source<SseEventInput>, options: PipeOptions): Promise<number> {
    this.writer.check(channel);
    const count = (): Promise<number> => this.subscribers.everywhere(channel);
    const pipe = new SourcePipe(channel, source, options, this.writer, this.cluster.wills, count);
    const end = pipe.run(() => this.#owe(pipe.will));
    this.#running.set(pipe, end);
    this.#lookLater();
    try {
      return await end;
    } finally {
      this.#running.delete(pipe);
    }
  }

  /** Before the streams are ended: what listeners have got is not all, and they shall know it. */
  async onModuleDestroy(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#looking);
    this.#stopWatching?.();
    for (const pipe of this.#running.keys()) pipe.stop('closing', hubClosed());
    const told = Promise.allSettled(this.#running.values());
    // A schema that does not answer holds up what comes after it, and must not hold up the application.
    await withTimeout(told, this.settings.shutdown.grace, () => undefined);
  }

  #owe(will: OwnWill): void {
    if (this.#owed.size < MAX_OWED) this.#owed.add(will);
    this.#lookLater();
  }

  /** While there is something to look after. */
  #lookLater(): void {
    if (this.#isClosing || (this.#running.size === 0 && this.#owed.size === 0)) return;
    this.#looking ??= setTimeout(() => {
      const looked = Promise.allSettled([this.#confirm(), this.#payOff()]);
      void looked.then(() => {
        this.#looking = undefined;
        this.#lookLater();
      });
    }, LOOK_INTERVAL).unref();
  }

  async #confirm(): Promise<void> {
    // Who cannot be asked now is asked again.
    await Promise.allSettled(Array.from(this.#running.keys(), (pipe) => pipe.confirm()));
  }

  /** As far as it goes: what fails for one fails for those after it. */
  async #payOff(): Promise<void> {
    for (const will of this.#owed) {
      await will.carryOut();
      this.#owed.delete(will);
    }
  }
}
