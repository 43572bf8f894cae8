import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SseCluster, SseHub } from '../sse/index.js';
import { BrokenFileError, importRows } from './import-files.js';
import { ImportJob, ImportOrders, type ImportEnd, type ImportProgress } from './jobs.channels.js';

/** Rows that are imported together, and the milliseconds that this takes. */
const BATCH = { rows: 50, time: 100 };

/** Milliseconds after which clients come back from the last event, to be told by a 204 that nothing follows. */
const SOON = 100;

/**
 * Imports files. One worker of all instances works on an import at a time, and only that one publishes to its channel. The
 * newest event there is all that is stored: who goes on, after a restart or in place of an instance that was killed, reads
 * in it how far the import is.
 */
@Injectable()
export class ImportWorker implements OnApplicationBootstrap {
  private readonly logger = new Logger(ImportWorker.name);
  /** To cancel the imports that have not ended, by id. */
  private readonly unfinished = new Map<string, AbortController>();

  constructor(
    private readonly hub: SseHub,
    @Inject(SseCluster) private readonly cluster: SseCluster,
  ) {}

  /** Obeys the orders of now, and those that an earlier process has left. */
  onApplicationBootstrap(): void {
    this.hub.stream(ImportOrders.of()).subscribe({
      next: (order) => {
        if (order.type === 'start') this.takePart(order.data.id);
        else if (order.type === 'cancel') this.unfinished.get(order.data.id)?.abort();
      },
      error: (error) => this.logger.error(error),
    });
  }

  /** Works on an import whenever it is this instance's turn, until it has ended. */
  private takePart(id: string): void {
    const cancelling = new AbortController();
    this.unfinished.set(id, cancelling);
    const withdraw = this.cluster.lead(`jobs/imports/${id}`, (lease) => {
      void this.work(id, lease, cancelling.signal).finally(() => {
        // A lease that was lost is asked for again.
        if (lease.aborted) return;
        this.unfinished.delete(id);
        withdraw();
      });
    });
  }

  private async work(id: string, lease: AbortSignal, cancelled: AbortSignal): Promise<void> {
    const channel = ImportJob.of({ id });
    try {
      const { events } = await this.hub.history(channel, { limit: 1 });
      const newest = events.at(-1);
      if (!newest) return; // it is kept no longer
      if (newest.type === 'progress') {
        const end = await this.importRest(id, newest.data, lease, cancelled);
        await this.hub.publish(channel, { ...end, retry: SOON });
      }
      await this.hub.complete(channel);
    } catch (error) {
      if (!lease.aborted) this.logger.error(error);
    }
  }

  /** @throws if the lease is lost: another instance goes on then */
  private async importRest(
    id: string,
    from: ImportProgress,
    lease: AbortSignal,
    cancelled: AbortSignal,
  ): Promise<ImportEnd> {
    const signal = AbortSignal.any([lease, cancelled]);
    let progress = from;
    try {
      while (progress.rows < progress.total) {
        await delay(BATCH.time, undefined, { signal });
        progress = { ...progress, rows: importRows(progress.file, progress.rows, BATCH.rows) };
        await this.hub.publish(ImportJob.of({ id }), { type: 'progress', data: progress });
      }
      return { type: 'done', data: progress };
    } catch (error) {
      if (lease.aborted) throw error;
      if (cancelled.aborted) return { type: 'cancelled', data: progress };
      return { type: 'failed', data: { ...progress, reason: this.reasonOf(error) } };
    }
  }

  /** What the owner of a file may know of an error. */
  private reasonOf(error: unknown): string {
    if (error instanceof BrokenFileError) return error.message;
    this.logger.error(error);
    return 'The server has made a mistake.';
  }
}
