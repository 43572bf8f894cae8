import { randomUUID } from 'node:crypto';
import { Injectable, Logger, NotFoundException } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { SseError, SseHub, type SseEvent } from '../sse/index.js';
import { Answer } from './assistant.channels.js';
import { askModel, ModelError } from './model.js';

/** Milliseconds after which clients come back from the last event, to be told by a 204 that nothing follows. */
const SOON = 100;

@Injectable()
export class AssistantService {
  private readonly logger = new Logger(AssistantService.name);

  constructor(private readonly hub: SseHub) {}

  /** Begins an answer, which goes on without listeners. @returns its id */
  async ask(question: string): Promise<string> {
    const id = randomUUID();
    const channel = Answer.of({ id });
    await this.hub.publish(channel, { type: 'question', data: question });
    const answering = this.hub.pipe(channel, (signal) => answer(question, signal), {
      // Also when the application closes, or this process is killed: another one publishes it then.
      error: ({ error, message }) => ({
        type: 'failed',
        data: error instanceof ModelError ? error.message : `The answer was cut off: ${message}.`,
        retry: SOON,
      }),
    });
    answering.catch((error: unknown) => {
      if (!isStopped(error)) this.logger.warn(String(error));
    });
    return id;
  }

  /** @throws NotFoundException */
  async events(id: string): Promise<Observable<SseEvent>> {
    await this.checkExists(id);
    return this.hub.stream(Answer.of({ id }));
  }

  /** Stops an answer, on whichever instance it is. @throws NotFoundException */
  async stop(id: string): Promise<void> {
    await this.checkExists(id);
    const channel = Answer.of({ id });
    try {
      // In one turn, so that no word which is published here comes between the two.
      await Promise.all([
        this.hub.publish(channel, { type: 'stopped', retry: SOON }),
        this.hub.complete(channel),
      ]);
    } catch (error) {
      if (!isStopped(error)) throw error; // it has ended in this moment
    }
  }

  private async checkExists(id: string): Promise<void> {
    const { events } = await this.hub.history(Answer.of({ id }), { limit: 1 });
    if (events.length === 0) throw new NotFoundException(`there is no answer ${id}, or no longer`);
  }
}

const isStopped = (error: unknown): boolean =>
  error instanceof SseError && error.code === 'CHANNEL_COMPLETED';

async function* answer(question: string, signal: AbortSignal) {
  for await (const words of askModel(question, signal)) yield { type: 'words', data: words } as const;
  yield { type: 'done', retry: SOON } as const;
}
