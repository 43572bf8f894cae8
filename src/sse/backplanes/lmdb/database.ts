import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type Database as Table, type RootDatabase } from 'lmdb';
import type { LogEntry } from '../../log/event-log.js';
import { newMark } from '../common/mark.js';
import { reasonOf, SseError } from '../../sse.errors.js';
import { DirectoryLock, MAX_DIRECTORY_BYTES } from './directory-lock.js';
import { dataFileFault } from './file-check.js';
import { entryOf, SCHEMA, type ChannelRecord, type EntryRecord, type PublishIdRecord } from './records.js';

/** Plain MessagePack, which also others can read. */
const TABLE = { encoding: 'msgpack', encoder: { useRecords: false } } as const;

/** The tables in one directory. Reads are synchronous; a write is a transaction, which ends on the disk. */
export class Database {
  readonly tables: ReturnType<typeof tablesOf>;
  #lastWrite: unknown;

  private constructor(
    private readonly root: RootDatabase,
    private readonly info: Table<unknown, string>,
    private readonly lock: DirectoryLock,
  ) {
    this.tables = tablesOf(root);
  }

  /** @throws SseError `BACKPLANE_FAILED` that names the directory and says in one line why it cannot be used */
  static async open(path: string): Promise<Database> {
    let lock: DirectoryLock | undefined;
    let root: RootDatabase | undefined;
    try {
      if (Buffer.byteLength(path) > MAX_DIRECTORY_BYTES)
        throw new Error(`its path has more than ${MAX_DIRECTORY_BYTES} bytes; use a link to it`);
      await mkdir(path, { recursive: true });
      lock = await DirectoryLock.take(path);
      if (!lock) throw new Error('another process, or another module of this one, uses it');
      const fault = await dataFileFault(join(path, 'data.mdb'));
      if (fault) throw new Error(`its data.mdb ${fault}`);
      root = open({
        path,
        noSubdir: false,
        // A commit resolves when it is on the disk, so that no loss of power takes back an id that clients have.
        overlappingSync: false,
        // Only `commit()` begins transactions. Those of LMDB's own have promises that reject unheard.
        eventTurnBatching: false,
      });
      return new Database(root, infoOf(root), lock);
    } catch (error) {
      await root?.close();
      await lock?.release();
      const reason = reasonOf(error);
      throw new SseError(
        'BACKPLANE_FAILED',
        `The directory ${path} cannot be used for the data of LMDB: ${reason.replaceAll('\n', ' ')}.`,
        { cause: error },
      );
    }
  }

  /** Letters and digits that name the directory, and all copies of it. */
  get store(): string {
    return this.info.get('store') as string;
  }

  /** Whether somebody else has written since {@link takeAsItIs}: perhaps an older copy was put in its place. */
  get isForeign(): boolean {
    this.root.resetReadTxn();
    return this.info.get('lastWrite') !== this.#lastWrite;
  }

  /** The owner has read everything that is on the disk now. */
  takeAsItIs(): void {
    this.#lastWrite = this.info.get('lastWrite');
  }

  get hasLeftovers(): boolean {
    return this.tables.leftovers.getCount({ limit: 1 }) > 0;
  }

  /** @throws SseError `BACKPLANE_FAILED`: the log's record says that it is there, and it is not */
  entry(log: string, offset: number): LogEntry {
    const record = this.tables.entries.get([log, offset]);
    if (record) return entryOf(offset, record);
    throw new SseError(
      'BACKPLANE_FAILED',
      `The data of LMDB is damaged: an event is missing. Purge its channel, or go back to a copy of the directory.`,
    );
  }

  /**
   * Writes in one transaction, which is on the disk when it resolves. Rejects when it cannot be: then
   * nothing of it was written.
   */
  async commit(write: () => void): Promise<void> {
    try {
      await this.#commit(write);
    } catch (error) {
      // Pages that a transaction frees can be used once the next one is over. On a full disk an empty one will do.
      await this.#commit(() => undefined).catch(() => {
        throw error;
      });
      await this.#commit(write);
    }
  }

  async #commit(write: () => void): Promise<void> {
    const mark = newMark();
    try {
      await this.root.batch(() => {
        write();
        void this.info.put('lastWrite', mark);
      });
      this.#lastWrite = mark;
    } catch (error) {
      // LMDB's error holds a promise that rejects with the true reason.
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

/** The table about the directory itself. Throws before anything is written if this version cannot use the data. */
function infoOf(root: RootDatabase): Table<unknown, string> {
  const names = [...root.getKeys()];
  if (names.length > 0 && !names.includes('info')) throw new Error('it has the data of something else');
  const info = root.openDB<unknown, string>({ name: 'info', ...TABLE });
  if (info.get('schema') === undefined) {
    root.transactionSync(() => {
      info.putSync('schema', SCHEMA);
      info.putSync('store', newMark());
    });
  }
  const schema = info.get('schema');
  if (schema === 1)
    throw new Error(
      `it was written by version 0.1 of this package, whose events cannot be taken over. Move it away, or name another directory as "path"`,
    );
  if (schema !== SCHEMA)
    throw new Error(`its schema is ${String(schema)}, and this version of the package knows ${SCHEMA}`);
  return info;
}

const tablesOf = (root: RootDatabase) => ({
  channels: root.openDB<ChannelRecord, string>({ name: 'channels', ...TABLE }),
  entries: root.openDB<EntryRecord, [log: string, offset: number]>({ name: 'entries', ...TABLE }),
  publishIds: root.openDB<PublishIdRecord, number>({ name: 'publishIds', ...TABLE }),
  /** Logs, and up to which offset their entries are of no use any more. */
  leftovers: root.openDB<number, string>({ name: 'leftovers', ...TABLE }),
  /** The numbers of {@link LogBirths}, by slot. */
  births: root.openDB<number, number>({ name: 'births', ...TABLE }),
  /** Texts of {@link SseWills}. */
  wills: root.openDB<string, [instance: string, id: string]>({ name: 'wills', ...TABLE }),
});
