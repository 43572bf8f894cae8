import * as z from 'zod';
import { defineChannel } from '../sse/index.js';
import { FILES, type FileName } from './import-files.js';

/** How far an import is. */
const ImportProgress = z.object({
  file: z.enum(Object.keys(FILES) as FileName[]),
  rows: z.int().min(0).describe('Rows that are imported.'),
  total: z.int().min(0).describe('Rows of the file.'),
});

export type ImportProgress = z.output<typeof ImportProgress>;

/** How an import has ended. */
export type ImportEnd =
  | { readonly type: 'done' | 'cancelled'; readonly data: ImportProgress }
  | { readonly type: 'failed'; readonly data: ImportProgress & { readonly reason: string } };

const DAY = 24 * 60 * 60 * 1_000;

/** One channel per import, completed at its end. Each event has the whole state, so a client needs only the newest. */
export const ImportJob = defineChannel('jobs/imports/:id', {
  events: {
    progress: ImportProgress,
    done: ImportProgress,
    cancelled: ImportProgress,
    failed: ImportProgress.extend({ reason: z.string() }),
  },
  history: { count: 100 },
  replay: 1,
  slow: { latest: () => 'newest' },
  ttl: DAY,
});

const ImportId = z.object({ id: z.uuid() });

/** The orders of clients to the workers of all instances, who read them from the beginning after a restart, too. */
export const ImportOrders = defineChannel('jobs/imports', {
  events: { start: ImportId, cancel: ImportId },
  history: { count: 1_000, age: DAY },
  replay: 'all',
  ttl: DAY,
});
