import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type Database as Table, type RootDatabase } from 'lmdb';
import type { LogEntry } from '../../hub/event-log.js';
import { SseError } from '../../sse.errors.js';
import { DirectoryLock, MAX_DIRECTORY_BYTES } from './directory-lock.js';
import { dataFileFault } from './file-check.js';
import { entryOf, SCHEMA, type ChannelRecord, type EntryRecord, type PublishIdRecord } from './records.js';

/** The first and the last of some entries of an epoch. */
type Key = [epoch: string, offset: number];

/** Plain MessagePack, which also others can read. */
const TABLE = { encoding: 'msgpack', encoder: { useRecords: false } } as const;

/** The tables in one directory. It is read at once, and written in transactions that end on the disk. */
export class Database {
  readonly channels: Table<ChannelRecord, string>;
  readonly entries: Table<EntryRecord, Key>;
  readonly publishIds: Table<PublishIdRecord, number>;
  /** Epochs, and up to which offset their entries are of no use any more. */
  readonly leftovers: Table<number, string>;

  private constructor(
    private readonly root: RootDatabase,
    private readonly lock: DirectoryLock,
  ) {
    const table = <V, K extends string | number | Key>(name: string): Table<V, K> =>
      root.openDB<V, K>({ name, ...TABLE });
    // Before anything is written: it may be somebody else's.
    const names = [...root.getKeys()];
    if (names.length > 0 && !names.includes('info')) throw new Error('it has the data of something else');
    const info = table<number, string>('info');
    const schema = info.get('schema');
    if (schema === undefined) info.putSync('schema', SCHEMA);
    else if (schema !== SCHEMA)
      throw new Error(`its schema is ${schema}, and this version of the package knows ${SCHEMA}`);
    this.channels = table('channels');
    this.entries = table('entries');
    this.publishIds = table('publishIds');
    this.leftovers = table('leftovers');
  }

  /** @throws SseError `BACKPLANE_FAILED` that names the directory and says in one line why it cannot be used */
  static async open(path: string): Promise<Database> {
    let lock: DirectoryLock | undefined;
    try {
      if (Buffer.byteLength(path) > MAX_DIRECTORY_BYTES)
        throw new Error(`its path has more than ${MAX_DIRECTORY_BYTES} bytes; use a link to it`);
      await mkdir(path, { recursive: true });
      lock = await DirectoryLock.take(path);
      if (!lock) throw new Error('another process, or another module of this one, uses it');
      const fault = await dataFileFault(join(path, 'data.mdb'));
      if (fault) throw new Error(`its data.mdb ${fault}`);
      return openWith(path, (root) => new Database(root, lock as DirectoryLock));
    } catch (error) {
      await lock?.release();
      const reason = error instanceof Error ? error.message : String(error);
      throw new SseError(
        'BACKPLANE_FAILED',
        `The directory ${path} cannot be used for the data of LMDB: ${reason.replaceAll('\n', ' ')}.`,
        { cause: error },
      );
    }
  }

  /** The entries of an epoch after an offset, up to another. */
  *range(epoch: string, after: number, upTo: number): Generator<LogEntry> {
    if (after >= upTo) return;
    const range = { start: [epoch, after + 1], end: [epoch, upTo], inclusiveEnd: true };
    for (const { key, value } of this.entries.getRange(range)) yield entryOf(key[1], value);
  }

  /**
   * Writes in one transaction, which is on the disk when it resolves. Rejects when it cannot be: then
   * nothing of it was written.
   */
  async commit(write: () => void): Promise<void> {
    try {
      await this.root.batch(write);
    } catch (error) {
      // What LMDB rejects with holds another promise, of the true reason.
      await (error as { commitError?: Promise<unknown> }).commitError;
      throw error;
    } finally {
      this.root.resetReadTxn();
    }
  }

  async close(): Promise<void> {
    await this.root.close();
    await this.lock.release();
  }
}

function openWith(path: string, make: (root: RootDatabase) => Database): Database {
  const root = open({
    path,
    noSubdir: false,
    // A transaction is on the disk when it is said to be: clients are given no id that a power loss takes back.
    overlappingSync: false,
    // Each transaction is begun by us alone. Otherwise LMDB makes promises of its own that reject unheard.
    eventTurnBatching: false,
  });
  try {
    return make(root);
  } catch (error) {
    void root.close();
    throw error;
  }
}
