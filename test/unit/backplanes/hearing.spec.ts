import { describe, expect, it } from '@jest/globals';
import { RepublishHeaders } from '@nats-io/jetstream';
import { headers, type Msg } from '@nats-io/transport-node';
import type { Standing } from '../../../src/sse/backplanes/nats/channel-log.js';
import { Hearing } from '../../../src/sse/backplanes/nats/hearing.js';
import { encodeMessage, type Kept, type Message } from '../../../src/sse/backplanes/nats/message.js';
import { encodeEvent } from '../../../src/sse/backplanes/common/event-text.js';
import type { ReceivedEntry, Notice } from '../../../src/sse/backplanes/common/remote-logs.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import { storedOf } from '../stored-events.js';

/** A mark of eight characters, of one stream or of another. */
const at = (offset: number, stream = 'a'): Position => ({
  offset,
  mark: `${stream}${offset}`.padStart(8, '0'),
});

const messageOf = (position: Position, more: Partial<Message> = {}): Kept => ({
  ...{ kind: 'event', at: 0, after: undefined, known: undefined, text: encodeEvent(storedOf(10)) },
  ...more,
  ...position,
});

const standing = (more: Partial<Standing> = {}): Standing => ({
  ...{ kind: 'open', after: undefined, head: undefined, newest: { event: 0, end: 0 }, isEmpty: true },
  record: { seq: 0 },
  ...more,
});

/** A channel that is followed, and whose log was read. */
function followed() {
  const hearing = new Hearing();
  const notices: Notice[] = [];
  hearing.follow((notice) => notices.push(notice));
  hearing.wasRead(standing());
  const hear = (kept: Kept, last = kept.offset - 1): void => {
    const head = headers();
    head.set(RepublishHeaders.LastSequence, String(last));
    const message = { subject: 'live', headers: head, string: () => encodeMessage(kept) };
    hearing.heard(kept.offset, message as unknown as Msg);
  };
  const kinds = (): string[] => notices.map(({ kind }) => kind);
  const entry = (): ReceivedEntry | undefined => {
    const newest = notices.at(-1);
    return newest?.kind === 'entry' ? newest.entry() : undefined;
  };
  return { hearing, hear, kinds, entry };
}

describe('what is heard of a channel in NATS', () => {
  it('are events that follow on each other, also those that only their publisher knows to', () => {
    const { hear, entry } = followed();
    hear(messageOf(at(4)), 2);
    expect(entry()).toMatchObject({ ...at(4), previous: 2, known: undefined });
    hear(messageOf(at(9), { known: at(7) }), 4);
    expect(entry()).toMatchObject({ ...at(9), previous: 7, known: at(7) });
    hear(messageOf(at(12), { kind: 'next', known: at(9) }), 11);
    expect(entry()).toMatchObject({ ...at(12), previous: 9 });
  });

  it('is a purge, on whose newest event the next one follows, and not on the message that says so', () => {
    const { hear, kinds, entry } = followed();
    hear(messageOf(at(4)));
    hear(messageOf(at(6), { kind: 'purge', known: at(4) }), 4);
    hear(messageOf(at(7)), 6);
    expect(kinds()).toEqual(['entry', 'purged', 'entry']);
    expect(entry()).toMatchObject({ ...at(7), previous: 4 });
  });

  it('is read where it is of another log, or comes after the end of its own', () => {
    const { hearing, hear, kinds } = followed();
    hear(messageOf(at(4), { after: at(3) }));
    hearing.ended(messageOf(at(6), { kind: 'end' }));
    hear(messageOf(at(5)));
    hear(messageOf(at(7)));
    expect(kinds()).toEqual(['changed', 'changed', 'entry', 'changed']);
    expect([at(5), at(7)].map((position) => hearing.isTooLate({ ...position, after: undefined }))).toEqual([
      false,
      true,
    ]);
    expect(hearing.isTooLate({ ...at(7), after: at(6) })).toBe(false);
  });
});
