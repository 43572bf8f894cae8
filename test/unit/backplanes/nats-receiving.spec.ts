import { describe, expect, it } from '@jest/globals';
import { RepublishHeaders } from '@nats-io/jetstream';
import { headers, type Msg } from '@nats-io/transport-node';
import type { ChannelState } from '../../../src/sse/backplanes/nats/channel-log.js';
import { encodeMessage, type Message, type StoredMessage } from '../../../src/sse/backplanes/nats/layout.js';
import { Receiving } from '../../../src/sse/backplanes/nats/receiving.js';
import { encodeEvent } from '../../../src/sse/backplanes/common/event-text.js';
import type { ReceivedEntry, Notice } from '../../../src/sse/backplanes/common/remote-logs.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import { storedOf } from '../stored-events.js';

/** A mark of eight characters, of one stream or of another. */
const at = (offset: number, stream = 'a'): Position => ({
  offset,
  mark: `${stream}${offset}`.padStart(8, '0'),
});

const messageOf = (position: Position, more: Partial<Message> = {}): StoredMessage => ({
  ...{ kind: 'event', at: 0, after: undefined, known: undefined, text: encodeEvent(storedOf(10)) },
  ...more,
  ...position,
});

const state: ChannelState = {
  ...{ kind: 'absent', after: undefined, head: undefined, isEmpty: true, record: undefined },
  newest: { event: 0, end: 0, record: 0 },
};

/** A channel that is followed, and whose log was read. */
function followed() {
  const receiving = new Receiving();
  const notices: Notice[] = [];
  receiving.follow((notice) => notices.push(notice));
  receiving.wasRead(state);
  const receive = (stored: StoredMessage, last = stored.offset - 1): void => {
    const head = headers();
    head.set(RepublishHeaders.Sequence, String(stored.offset));
    head.set(RepublishHeaders.LastSequence, String(last));
    const message = { subject: 'live', headers: head, string: () => encodeMessage(stored) };
    receiving.received(message as unknown as Msg);
  };
  const kinds = (): string[] => notices.map(({ kind }) => kind);
  const entry = (): ReceivedEntry | undefined => {
    const newest = notices.at(-1);
    return newest?.kind === 'entry' ? newest.entry() : undefined;
  };
  return { receiving, receive, kinds, entry };
}

describe('what is received of a channel in NATS', () => {
  it('are events that follow on each other, also those that only their publisher knows to', () => {
    const { receive, entry } = followed();
    receive(messageOf(at(4)), 2);
    expect(entry()).toMatchObject({ ...at(4), previous: 2, known: undefined });
    receive(messageOf(at(9), { known: at(7) }), 4);
    expect(entry()).toMatchObject({ ...at(9), previous: 7, known: at(7) });
    receive(messageOf(at(12), { kind: 'next', known: at(9) }), 11);
    expect(entry()).toMatchObject({ ...at(12), previous: 9 });
  });

  it('is a purge, on whose newest event the next one follows, and not on the message that says so', () => {
    const { receive, kinds, entry } = followed();
    receive(messageOf(at(4)));
    receive(messageOf(at(6), { kind: 'purge', known: at(4) }), 4);
    receive(messageOf(at(7)), 6);
    expect(kinds()).toEqual(['entry', 'purged', 'entry']);
    expect(entry()).toMatchObject({ ...at(7), previous: 4 });
  });

  it('is read where it is of another log, or comes after the end of its own', () => {
    const { receiving, receive, kinds } = followed();
    receive(messageOf(at(4), { after: at(3) }));
    receiving.ended(messageOf(at(6), { kind: 'end' }));
    receive(messageOf(at(5)));
    receive(messageOf(at(7)));
    expect(kinds()).toEqual(['changed', 'changed', 'entry', 'changed']);
    expect([at(5), at(7)].map((position) => receiving.isTooLate({ ...position, after: undefined }))).toEqual([
      false,
      true,
    ]);
    expect(receiving.isTooLate({ ...at(7), after: at(6) })).toBe(false);
  });
});
