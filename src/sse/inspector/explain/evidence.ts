import type { StreamPosition } from '../../connection-details.js';
import type { Channels } from '../../channels/channels.js';
import type { SseConnection } from '../../http/sse-connection.js';
import { parseId } from '../../protocol/position.js';
import type { Cursor } from '../../streams/cursor.js';
import type { ConnectionRows } from '../connection-rows.js';
import {
  whoIs,
  type Cleared,
  type Denied,
  type Ended,
  type GapTold,
  type Published,
  type Recent,
  type Who,
} from '../recent.js';

/** What is asked: what became of an event for some connections. */
export interface EvidenceQuery {
  readonly channel: string;
  readonly offset: number;
  /** The id of the event, if it is known. */
  readonly id: string;
  /** Of this connection, or of the connections of this user; otherwise of all that had to do with the channel. */
  readonly connection?: string | undefined;
  readonly user?: string | undefined;
}

/** What one instance knows of one connection and the event. */
export interface ConnectionEvidence {
  readonly kind: 'connection';
  readonly who: Who;
  /** How far it has read the channel; undefined if it does not stream it, and never did. */
  readonly position: StreamPosition | undefined;
  readonly state: 'opening' | 'open' | 'backed up' | 'ended';
  /** Whether the stream of the channel is over: then `ended` says when and why. */
  readonly ended: { readonly at: number; readonly reason: Ended['reason'] } | undefined;
  /** Whether the streams hide the event, asked anew; undefined where they could not be asked. */
  readonly hides: 'yes' | 'no' | 'throws' | undefined;
  /** Bytes that wait for it. */
  readonly waiting: number;
  /** Events up to the one that is asked about that it has not read. */
  readonly behind: number;
  readonly gaps: readonly GapTold[];
  readonly denied: readonly Denied[];
}

/** What one instance knows of the event itself. */
export interface EventEvidence {
  readonly kind: 'event';
  readonly published: Published | undefined;
  readonly cleared: readonly Cleared[];
  /** Since when the instance remembers. */
  readonly since: number;
}

export type Evidence = ConnectionEvidence | EventEvidence;

/** The most connections of one instance in an answer. */
const MOST = 200;

/** Gathers what this instance knows: of open connections from their cursors, of others from its memory. */
export class EvidenceGatherer {
  constructor(
    private readonly rows: ConnectionRows,
    private readonly channels: Channels,
    private readonly recent: Recent,
  ) {}

  gather(query: EvidenceQuery): Evidence[] {
    const found = new Map<string, ConnectionEvidence>();
    for (const connection of this.rows.all) {
      if (found.size >= MOST) break;
      const cursor = connection.reader.position.of(query.channel);
      if (!this.#isMeant(connection, cursor, query)) continue;
      const evidence = this.#ofOpen(connection, cursor, query);
      found.set(evidence.who.id, evidence);
    }
    this.#addRemembered(found, query);
    return [this.#ofEvent(query), ...found.values()];
  }

  #isMeant(
    connection: SseConnection,
    cursor: Cursor | undefined,
    { connection: id, user }: EvidenceQuery,
  ): boolean {
    if (id !== undefined) return connection.hasId(id);
    if (user !== undefined) return connection.identity?.user === user;
    return cursor !== undefined;
  }

  #ofOpen(connection: SseConnection, cursor: Cursor | undefined, query: EvidenceQuery): ConnectionEvidence {
    const isBackedUp = connection.backPressure === 'backed up';
    return {
      ...nothingOf(whoIs(connection)),
      position: connection.positions.find(({ channel }) => channel === query.channel),
      state: !connection.isOpen || cursor?.started === false ? 'opening' : isBackedUp ? 'backed up' : 'open',
      hides: cursor && this.#hides(cursor, query.offset),
      waiting: connection.waitingBytes,
      behind: cursor ? this.#behind(cursor, query.offset) : 0,
    };
  }

  /** Counted in the log: on NATS the offsets of a channel have holes. */
  #behind(cursor: Cursor, offset: number): number {
    const log = this.channels.get(cursor.channel.name)?.log;
    return log ? Math.max(0, log.indexAfter(offset) - log.indexAfter(cursor.read.offset)) : 0;
  }

  /** Asks `types` and `filter` of the streams again, if the log still has the event. */
  #hides(cursor: Cursor, offset: number): ConnectionEvidence['hides'] {
    const log = this.channels.get(cursor.channel.name)?.log;
    const entry = log?.at(log.indexAfter(offset - 1));
    if (entry?.offset !== offset) return undefined;
    try {
      return cursor.hides(entry) ? 'yes' : 'no';
    } catch {
      return 'throws';
    }
  }

  #addRemembered(found: Map<string, ConnectionEvidence>, query: EvidenceQuery): void {
    const { channel, connection, user } = query;
    const isMeant = ({ id, user: other }: Who): boolean =>
      connection !== undefined ? id === connection : user === undefined || other === user;
    const of = (who: Who): ConnectionEvidence | undefined => {
      const known = found.get(who.id);
      if (known || found.size >= MOST) return known;
      return nothingOf(who);
    };
    const keep = (evidence: ConnectionEvidence): void => void found.set(evidence.who.id, evidence);
    for (const one of this.recent.ended) {
      const position = one.positions.find((each) => each.channel === channel);
      // A connection that was asked for is told of although it never had the channel.
      if (!isMeant(one.who) || (!position && connection === undefined && user === undefined)) continue;
      const evidence = of(one.who);
      // What is known of an open stream, or of a later end, is newer.
      if (!evidence || evidence.position || (evidence.state !== 'ended' && !position)) continue;
      keep({ ...evidence, position, ended: { at: one.at, reason: one.reason } });
    }
    for (const one of this.recent.gaps) {
      const evidence = one.channel === channel && isMeant(one.who) ? of(one.who) : undefined;
      if (evidence) keep({ ...evidence, gaps: [...evidence.gaps, one] });
    }
    for (const one of this.recent.denied) {
      const evidence = one.channel === channel && isMeant(one.who) ? of(one.who) : undefined;
      if (evidence) keep({ ...evidence, denied: [...evidence.denied, one] });
    }
  }

  #ofEvent({ channel, offset, id }: EvidenceQuery): EventEvidence {
    let published: Published | undefined;
    for (const one of this.recent.published) {
      if (one.channel !== channel || one.id === '') continue;
      if (one.id !== id && parseId(one.id)?.position.offset !== offset) continue;
      published = one;
      break;
    }
    const cleared = [...this.recent.cleared].filter((one) => one.channel === channel);
    return { kind: 'event', published, cleared, since: this.recent.since };
  }
}

/** A connection of which only its name is known: it is not open any more. */
const nothingOf = (who: Who): ConnectionEvidence => ({
  kind: 'connection',
  who,
  position: undefined,
  state: 'ended',
  ended: undefined,
  hides: undefined,
  waiting: 0,
  behind: 0,
  gaps: [],
  denied: [],
});
