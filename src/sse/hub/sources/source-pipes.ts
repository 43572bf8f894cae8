import type { OnModuleDestroy } from '@nestjs/common';
import { SseError } from '../../sse.errors.js';
import type { ChannelWriter } from '../channel-writer.js';
import type { Instances } from '../instances/instances.js';
import { SourcePipe, type PipeOptions } from './source-pipe.js';
import type { Source } from './published-source.js';
import type { SseEventInput } from '../sse-event.js';

/** The sources that this process feeds into channels. */
export class SourcePipes implements OnModuleDestroy {
  readonly #running = new Map<SourcePipe, Promise<number>>();

  constructor(
    private readonly writer: ChannelWriter,
    private readonly instances: Instances,
    /** Milliseconds that listeners may take to be told when the application closes. */
    private readonly grace: number,
  ) {}

  /** @throws SseError `INVALID_OPTIONS` */
  async run(channel: string, source: Source<SseEventInput>, options: PipeOptions): Promise<number> {
    const count = (): Promise<number> => this.instances.subscriberCount(channel, true);
    const pipe = new SourcePipe(channel, source, options, this.writer, count);
    const end = pipe.run();
    this.#running.set(pipe, end);
    try {
      return await end;
    } finally {
      this.#running.delete(pipe);
    }
  }

  /** Before the streams are ended: what listeners have got is not all, and they shall know it. */
  async onModuleDestroy(): Promise<void> {
    for (const pipe of this.#running.keys())
      pipe.stop(new SseError('HUB_CLOSED', 'The application was closed.'));
    const told = Promise.allSettled(this.#running.values());
    // A schema that does not answer holds up what comes after it, and must not hold up the application.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.grace);
    });
    await Promise.race([told, late]);
    clearTimeout(timer);
  }
}
