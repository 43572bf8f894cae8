import { randomUUID } from 'node:crypto';
import { Injectable, NotFoundException } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { SseHub, type SseEvent } from '../sse/index.js';
import { FILES, type FileName } from './import-files.js';
import { ImportJob, ImportOrders } from './jobs.channels.js';

/** Takes the requests of clients. `ImportWorker` does the work, perhaps on another instance. */
@Injectable()
export class JobsService {
  constructor(private readonly hub: SseHub) {}

  async start(file: FileName): Promise<string> {
    const id = randomUUID();
    const { rows: total } = FILES[file];
    await this.hub.publish(ImportJob.of({ id }), { type: 'progress', data: { file, rows: 0, total } });
    await this.hub.publish(ImportOrders.of(), { type: 'start', data: { id } });
    return id;
  }

  /** @throws NotFoundException */
  async events(id: string): Promise<Observable<SseEvent>> {
    await this.stateOf(id);
    return this.hub.stream(ImportJob.of({ id }));
  }

  /** @throws NotFoundException */
  async cancel(id: string): Promise<void> {
    // The log of orders is for those that are still to be obeyed.
    if ((await this.stateOf(id)) !== 'progress') return;
    const order = { type: 'cancel', data: { id } } as const;
    await this.hub.publish(ImportOrders.of(), order, { publishId: `cancel/${id}` });
  }

  /** @returns the type of its newest event @throws NotFoundException */
  private async stateOf(id: string): Promise<string> {
    const { events } = await this.hub.history(ImportJob.of({ id }), { limit: 1 });
    const newest = events.at(-1);
    if (newest) return newest.type;
    throw new NotFoundException(`there is no import ${id}, or no longer`);
  }
}
