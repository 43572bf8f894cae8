import {
  channelHash,
  formatId,
  formatVector,
  NOWHERE,
  parseLastEventId,
  positionsFor,
  type Position,
  type Requested,
} from '../protocol/position.js';
import type { ChannelSettings } from '../sse.settings.js';
import type { LogRange, RangeQuery, SseBackplane } from './backplane.js';
import type { LogEntry } from './event-log.js';
import { publishedEvent } from './published-event.js';
import type { GapReason, SseEvent } from './sse-event.js';

/** What is asked of the past of some channels. */
export interface PastQuery {
  readonly after: string | undefined;
  readonly upTo: string | undefined;
  readonly limit: number;
}

/** A page of the past. */
export interface Past {
  readonly events: readonly SseEvent[];
  readonly start: string;
  readonly position: string;
  readonly gap?: GapReason;
}

/** One channel's part of a page, which others take their share of. */
interface Part {
  readonly channel: string;
  readonly hash: string;
  /** Undefined on a channel without history. */
  readonly range: LogRange | undefined;
  /** The position at which the range ends. */
  readonly last: Position | undefined;
  readonly gap: GapReason | undefined;
  /** The entries of the page are those from `first` on, and before `end`. */
  first: number;
  end: number;
}

/** Reads a page of the past of some channels: in each the order is that of the log, between them that of the time. */
export async function readPast(
  channels: ReadonlyMap<string, ChannelSettings>,
  query: PastQuery,
  backplane: SseBackplane,
): Promise<Past> {
  const hashes = new Map([...channels.keys()].map((channel) => [channel, channelHash(channel)]));
  const after = positionsIn(query.after, hashes);
  const upTo = positionsIn(query.upTo, hashes);
  const parts = await Promise.all(
    [...channels].map(async ([channel, settings]) => {
      const hash = hashes.get(channel) as string;
      const asked = [after.get(channel), upTo.get(channel)] as const;
      return partOf(channel, hash, settings, asked, query.limit, backplane);
    }),
  );
  const page = query.after === undefined ? newest(parts, query.limit) : oldest(parts, query.limit);
  const events = page.map(({ part: { channel, range, hash }, entry }) =>
    publishedEvent(channel, holderOf(range as LogRange), entry, hash),
  );
  const gap = parts.find((part) => part.gap)?.gap;
  return { events, start: idOf(parts, startOf), position: idOf(parts, endOf), ...(gap && { gap }) };
}

function positionsIn(
  id: string | undefined,
  hashes: ReadonlyMap<string, string>,
): ReadonlyMap<string, Requested> {
  const candidates = [...hashes].map(([name, hash]) => [name, { hash, has: () => false }] as const);
  return positionsFor(parseLastEventId(id), new Map(candidates));
}

async function partOf(
  channel: string,
  hash: string,
  settings: ChannelSettings,
  [after, upTo]: readonly [Requested | undefined, Requested | undefined],
  limit: number,
  backplane: SseBackplane,
): Promise<Part> {
  if (!settings.history)
    return { channel, hash, range: undefined, last: undefined, gap: undefined, first: 0, end: 0 };
  const range = await backplane.read(channel, settings, {
    ...positionOf('after', after),
    ...positionOf('upTo', upTo),
    limit,
  });
  const gap = reasonOf(after) ?? reasonOf(upTo) ?? range.missing;
  const isUpTo = upTo?.kind === 'position' && !range.missing;
  const last = range.entries.at(-1) ?? (isUpTo ? upTo.position : range.head);
  return { channel, hash, range, last, gap, first: 0, end: range.entries.length };
}

/** A position, as a query takes it; what is none is in no log. */
function positionOf(name: 'after' | 'upTo', requested: Requested | undefined): Partial<RangeQuery> {
  if (!requested || requested.kind === 'none') return {};
  return { [name]: requested.kind === 'position' ? requested.position : NOWHERE };
}

/** Why what is no position cannot be gone on with. */
const reasonOf = (requested: Requested | undefined): GapReason | undefined =>
  requested?.kind === 'unreadable' ? 'unreadable' : undefined;

interface Picked {
  readonly part: Part;
  readonly entry: LogEntry;
}

function oldest(parts: readonly Part[], limit: number): Picked[] {
  for (const part of parts) part.end = 0;
  const page: Picked[] = [];
  while (page.length < limit) {
    const next = parts
      .map((part) => ({ part, entry: part.range?.entries[part.end] }))
      .filter(isThere)
      .reduce<Picked | undefined>(
        (best, one) => (best && best.entry.at <= one.entry.at ? best : one),
        undefined,
      );
    if (!next) break;
    next.part.end++;
    page.push(next);
  }
  return page;
}

function newest(parts: readonly Part[], limit: number): Picked[] {
  for (const part of parts) part.first = part.end;
  const page: Picked[] = [];
  while (page.length < limit) {
    const next = parts
      .map((part) => ({ part, entry: part.range?.entries[part.first - 1] }))
      .filter(isThere)
      .reduce<Picked | undefined>(
        (best, one) => (best && best.entry.at > one.entry.at ? best : one),
        undefined,
      );
    if (!next) break;
    next.part.first--;
    page.push(next);
  }
  return page.reverse();
}

const isThere = (one: { part: Part; entry: LogEntry | undefined }): one is Picked => one.entry !== undefined;

/** The position that a part of a page begins after, and the one that it ends with. */
const startOf = ({ range, first, last }: Part): Position | undefined =>
  range?.entries[first]?.previous ?? range?.entries[first - 1] ?? last;

function endOf({ range, first, end, last }: Part): Position | undefined {
  if (end > first) return range?.entries[end - 1];
  return range?.entries[first]?.previous ?? last;
}

function idOf(parts: readonly Part[], positionOf: (part: Part) => Position | undefined): string {
  const ids = parts.map((part) => {
    const position = positionOf(part);
    return [part.channel, position && formatId(position, part.hash)] as const;
  });
  return ids.length > 1 ? formatVector(ids) : (ids[0]?.[1] ?? '');
}

const holderOf = ({ floor, head, entries }: LogRange) => ({
  has: ({ offset, mark }: Position): boolean =>
    [floor, head, ...entries].some((one) => one.offset === offset && one.mark === mark),
});
