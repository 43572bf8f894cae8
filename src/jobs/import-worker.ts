import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SseCluster, SseError, SseHub, type SseErrorCode } from '../sse/index.js';
import { BrokenFileError, importRows } from './import-files.js';
import { ImportJob, ImportOrders, type ImportEnd, type ImportProgress } from './jobs.channels.js';

/** Rows that are imported together, and the milliseconds that this takes. */
const BATCH = { rows: 50, time: 100 };

/** Milliseconds after which an import goes on whose progress could not be stored. */
const PATIENCE = 1_000;

/** Errors of the hub that are over some time. */
const PASSING: ReadonlySet<SseErrorCode> = new Set([
  'PUBLISH_REJECTED',
  'PUBLISH_UNCERTAIN',
  'BACKPLANE_AWAY',
  'HUB_FULL',
]);

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
      void this.workPatiently(id, lease, cancelling.signal).finally(() => {
        // A lease that was lost is asked for again.
        if (lease.aborted) return;
        this.unfinished.delete(id);
        withdraw();
      });
    });
  }

  /** Goes on from what is stored where the hub could not store more for a while. */
  private async workPatiently(id: string, lease: AbortSignal, cancelled: AbortSignal): Promise<void> {
    while (!lease.aborted) {
      try {
        return await this.work(id, lease, cancelled);
      } catch (error) {
        if (lease.aborted) return;
        this.logger.error(error);
        if (!isPassing(error)) return;
        await delay(PATIENCE, undefined, { signal: lease }).catch(() => undefined);
      }
    }
  }

  /** @throws if the lease is lost, or the hub cannot store how far the import is */
  private async work(id: string, lease: AbortSignal, cancelled: AbortSignal): Promise<void> {
    const channel = ImportJob.of({ id });
    const { events } = await this.hub.history(channel, { limit: 1 });
    const newest = events.at(-1);
    if (!newest) return; // it is kept no longer
    if (newest.type === 'progress') {
      const end = await this.importRest(id, newest.data, lease, cancelled);
      await this.hub.publish(channel, { ...end, retry: SOON });
    }
    await this.hub.complete(channel);
  }

  /** @throws if the lease is lost, as another instance goes on then, and errors of the hub */
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
      if (lease.aborted || error instanceof SseError) throw error;
      if (cancelled.aborted) return { type: 'cancelled', data: progress };
      return { type: 'failed', data: { ...progress, reason: this.reasonOf(error) } };
    }
  }

  /** The part of an error that the owner of a file may know. */
  private reasonOf(error: unknown): string {
    if (error instanceof BrokenFileError) return error.message;
    this.logger.error(error);
    return 'The server has made a mistake.';
  }
}

const isPassing = (error: unknown): boolean => error instanceof SseError && PASSING.has(error.code);
