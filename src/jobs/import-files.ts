/** The made-up files that can be imported. */
export const FILES = {
  'customers.csv': { rows: 500 },
  'orders.csv': { rows: 30_000 },
  'broken.csv': { rows: 1_000, brokenRow: 240 },
} as const satisfies Record<string, ImportFile>;

export type FileName = keyof typeof FILES;

interface ImportFile {
  readonly rows: number;
  /** The row, counted from 1, that cannot be imported. */
  readonly brokenRow?: number;
}

/** A file that cannot be imported. The message is for its owner. */
export class BrokenFileError extends Error {}

/**
 * Stands for the work on some rows of a file.
 *
 * @param rows how many are imported already
 * @returns how many are imported then
 * @throws BrokenFileError
 */
export function importRows(name: FileName, rows: number, most: number): number {
  const file: ImportFile = FILES[name];
  const end = Math.min(rows + most, file.rows);
  if (file.brokenRow !== undefined && file.brokenRow <= end)
    throw new BrokenFileError(`Row ${file.brokenRow} has no price.`);
  return end;
}
