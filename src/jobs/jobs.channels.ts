import { defineChannel, type } from '../sse/index.js';
import type { FileName } from './import-files.js';

/** How far an import is. */
export interface ImportProgress {
  readonly file: FileName;
  /** Rows that are imported. */
  readonly rows: number;
  /** Rows of the file. */
  readonly total: number;
}

/** How an import has ended. */
export type ImportEnd =
  | { readonly type: 'done' | 'cancelled'; readonly data: ImportProgress }
  | { readonly type: 'failed'; readonly data: ImportProgress & { readonly reason: string } };

const DAY = 24 * 60 * 60 * 1_000;

/** One channel per import, completed at its end. Each event has the whole state, so a client needs only the newest. */
export const ImportJob = defineChannel('jobs/imports/:id', {
  events: {
    progress: type<ImportProgress>(),
    done: type<ImportProgress>(),
    cancelled: type<ImportProgress>(),
    failed: type<ImportProgress & { readonly reason: string }>(),
  },
  history: { count: 100 },
  replay: 1,
  slow: { latest: () => 'newest' },
  ttl: DAY,
});

interface ImportId {
  readonly id: string;
}

/** The orders of clients to the workers of all instances, who read them from the beginning after a restart, too. */
export const ImportOrders = defineChannel('jobs/imports', {
  events: { start: type<ImportId>(), cancel: type<ImportId>() },
  history: { count: 1_000, age: DAY },
  replay: 'all',
  ttl: DAY,
});
