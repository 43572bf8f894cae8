import { open } from 'node:fs/promises';

/** Bytes of a file of LMDB: its format, its page size and the first page of each of its two trees. */
const MAGIC = { at: 24, value: 0xbeefc0de };
const VERSION = { at: 28, value: 2 };
const PAGE_SIZE_AT = 48;
const ROOTS_AT = [88, 136];
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const HEADER_BYTES = 168;

/**
 * The fault of a data file, as far as it can be seen from outside; undefined if the file is not there or
 * empty. LMDB maps the file into memory and trusts it: a file that is not one of its own, or was cut off,
 * would end the process with a signal, without a word.
 */
export async function dataFileFault(path: string): Promise<string | undefined> {
  const file = await open(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    if (size === 0) return undefined;
    const header = Buffer.alloc(HEADER_BYTES);
    const first = await file.read(header, 0, HEADER_BYTES, 0);
    if (first.bytesRead < HEADER_BYTES || !isMeta(header)) return 'is no file of LMDB';
    const pageSize = header.readUInt32LE(PAGE_SIZE_AT);
    const isPageSize = pageSize >= 512 && pageSize <= 65_536 && Number.isInteger(Math.log2(pageSize));
    if (!isPageSize || size < 2 * pageSize) return 'is damaged';
    // Transactions write the first and the second page in turn.
    const other = Buffer.alloc(HEADER_BYTES);
    await file.read(other, 0, HEADER_BYTES, pageSize);
    if (!isMeta(other)) return 'is damaged';
    const roots = [header, other].flatMap((meta) => ROOTS_AT.map((at) => meta.readBigUInt64LE(at)));
    const isCutOff = roots.some((page) => page !== NO_PAGE && (page + 1n) * BigInt(pageSize) > BigInt(size));
    return isCutOff ? 'is damaged: its end is missing' : undefined;
  } finally {
    await file.close();
  }
}

const isMeta = (header: Buffer): boolean =>
  header.readUInt32LE(MAGIC.at) === MAGIC.value && header.readUInt16LE(VERSION.at) === VERSION.value;
