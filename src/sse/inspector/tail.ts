import { Observable } from 'rxjs';
import type { SseBackplane } from '../log/backplane.js';
import type { LogEntry } from '../log/event-log.js';
import { channelHash, formatId } from '../protocol/position.js';
import type { ChannelSettings } from '../sse.settings.js';

/** An event in the live tail. Its time is in milliseconds since 1970. */
export interface TailEvent {
  readonly offset: number;
  /** Empty on a channel without history. */
  readonly id: string;
  readonly at: number;
  readonly type: string;
  readonly bytes: number;
  /** The beginning of its data. */
  readonly data: string;
}

export interface TailPart {
  readonly events: readonly TailEvent[];
  /** Events that matched and were left out, as there were too many of them. */
  readonly left: number;
}

/** Milliseconds between two parts. */
const PART_TIME = 250;
/** Events of a part: the newest. */
const PART_EVENTS = 20;
/** Events of the past that a tail begins with, and that are looked at for them. */
const PAST = 50;
const SEARCHED = 1_000;
/** Characters of data that are shown. */
const SHOWN = 2_000;

/**
 * Follows the log of a channel, some events at a time. It is no stream of the channel: no subscriber, no member, and no hook
 * hears of it.
 *
 * @param text only events whose type or data contain it
 */
export function tailOf(
  channel: string,
  settings: ChannelSettings,
  text: string,
  backplane: SseBackplane,
): Observable<TailPart> {
  const wanted = text.toLowerCase();
  const isWanted = ({ event }: LogEntry): boolean =>
    wanted === '' ||
    (event.type ?? 'message').toLowerCase().includes(wanted) ||
    (event.data ?? '').toLowerCase().includes(wanted);
  const hash = settings.history ? channelHash(channel) : undefined;
  return new Observable((subscriber) => {
    let newest: LogEntry[] = [];
    let matched = 0;
    const add = (entry: LogEntry): void => {
      if (!isWanted(entry)) return;
      matched++;
      newest.push(entry);
      if (newest.length > PART_EVENTS * 2) newest = newest.slice(-PART_EVENTS);
    };
    const send = (most: number): void => {
      if (matched === 0) return;
      const events = newest.slice(-most).map((entry) => tailEvent(entry, hash));
      subscriber.next({ events, left: matched - events.length });
      newest = [];
      matched = 0;
    };
    const ignore = (): void => undefined;
    const following = backplane.follow(channel, settings, {
      appended: add,
      completed: ignore,
      moved: ignore,
      leaving: ignore,
      replaced: ignore,
    });
    const timer = setInterval(() => send(PART_EVENTS), PART_TIME);
    following.then(
      ({ log }) => {
        // What the log has is in it already; what comes from now on is added.
        const past: LogEntry[] = [];
        const first = Math.max(0, log.size - SEARCHED);
        for (let i = log.size - 1; i >= first && past.length < PAST; i--) {
          const entry = log.at(i) as LogEntry;
          if (isWanted(entry)) past.unshift(entry);
        }
        const known = new Set(newest);
        const events = [...past.filter((entry) => !known.has(entry)), ...newest];
        newest = [];
        matched = 0;
        subscriber.next({ events: events.map((entry) => tailEvent(entry, hash)), left: 0 });
      },
      (error: unknown) => subscriber.error(error),
    );
    return () => {
      clearInterval(timer);
      following.then((followed) => followed.stop(), ignore);
    };
  });
}

function tailEvent({ offset, mark, at, event }: LogEntry, hash: string | undefined): TailEvent {
  const { type = 'message', bytes, data = '' } = event;
  const id = hash === undefined ? '' : formatId({ offset, mark }, hash);
  return { offset, id, at, type, bytes, data: data.slice(0, SHOWN) };
}
