import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  channelHash,
  formatId,
  formatVector,
  parseLastEventId,
  requestedIn,
  type Candidate,
  type Position,
  type Requested,
} from '../../../src/sse/protocol/position.js';
import { anyPosition } from '../positions.js';
import { channelName } from '../texts.js';

const NONE = { kind: 'none' };
const P: Position = { offset: 7, mark: 'markmark' };
const Q: Position = { offset: 7, mark: 'othermark' };

/** A channel that holds some events. */
const holding = (name: string, ...positions: Position[]): Candidate => ({
  hash: channelHash(name),
  has: ({ offset, mark }) => positions.some((each) => each.offset === offset && each.mark === mark),
});

/** Channels of the same hash, which happens rarely: each holds some events. */
const alike = (hash: string, channels: Record<string, Position[]>): [string, Candidate][] =>
  Object.entries(channels).map(([name, positions]) => [name, { ...holding(name, ...positions), hash }]);

/** What each of the channels is asked for. */
const asked = (
  lastEventId: string | undefined,
  channels: Iterable<[string, Candidate]>,
): Record<string, Requested> => Object.fromEntries(positionsFor(lastEventId, new Map(channels)));

const positionsFor = (
  lastEventId: string | undefined,
  channels: ReadonlyMap<string, Candidate>,
): Map<string, Requested> =>
  new Map(
    [...channels.keys()].map((name) => [name, requestedIn(name, parseLastEventId(lastEventId), channels)]),
  );

const channels = (held: Record<string, Position[]>): [string, Candidate][] =>
  Object.entries(held).map(([name, positions]) => [name, holding(name, ...positions)]);

const at = (position: Position, text: string): Requested => ({ kind: 'position', position, text });
/** An id with the positions of several channels; undefined for one without history. */
const vector = (...named: [string, Position | undefined][]): string =>
  formatVector(named.map(([name, position]) => [name, position && idOf(name, position)]));
const idOf = (channel: string, position: Position): string => formatId(position, channelHash(channel));

describe('a client without an id', () => {
  it('has no position in any channel', () => {
    expect(asked(undefined, channels({ news: [P], chat: [] }))).toEqual({ news: NONE, chat: NONE });
  });
});

describe('the id of an event', () => {
  const id = idOf('chat', P);

  it('is a position in the channel whose hash it has; the others have none', () => {
    for (const held of [[P], []])
      expect(asked(id, channels({ news: [P], chat: held, jobs: [] }))).toEqual({
        news: NONE,
        chat: at(P, id),
        jobs: NONE,
      });
  });

  it('is asked of the one channel of a response whatever its hash, so that the client hears of a gap', () => {
    expect(asked(id, channels({ news: [] }))).toEqual({ news: at(P, id) });
  });

  it('is asked of every channel when it has the hash of none, so that nothing is lost silently', () => {
    expect(asked(id, channels({ news: [P], jobs: [] }))).toEqual({ news: at(P, id), jobs: at(P, id) });
  });

  it('belongs to the one that holds the event where several have its hash', () => {
    const hash = channelHash('chat');
    expect(
      asked(id, [...alike(hash, { one: [Q], other: [P], third: [] }), ...channels({ news: [P] })]),
    ).toEqual({
      one: NONE,
      other: at(P, id),
      third: NONE,
      news: NONE,
    });
  });

  it('is asked of all that have its hash where none of them holds the event, or more than one does', () => {
    const hash = channelHash('chat');
    for (const held of [[], [P]])
      expect(asked(id, [...alike(hash, { one: held, other: held }), ...channels({ news: [P] })])).toEqual({
        one: at(P, id),
        other: at(P, id),
        news: NONE,
      });
  });

  it('of several channels asks nobody for the event where the hash tells', () => {
    const never: Candidate = {
      hash: channelHash('chat'),
      has: () => {
        throw new Error('asked');
      },
    };
    expect(asked(id, [['chat', never], ...channels({ news: [] })])).toEqual({ news: NONE, chat: at(P, id) });
  });
});

describe('an id with names', () => {
  it('is the position in each channel that it names, also one that no log holds', () => {
    const id = vector(['news', P], ['chat', Q]);
    expect(asked(id, channels({ news: [P], chat: [] }))).toEqual({
      news: at(P, idOf('news', P)),
      chat: at(Q, idOf('chat', Q)),
    });
  });

  it('is a position in the one channel of a response too', () => {
    const id = vector(['news', P], ['chat', Q]);
    expect(asked(id, channels({ chat: [] }))).toEqual({ chat: at(Q, idOf('chat', Q)) });
  });

  it('gives a channel that is missing in it no position, even one that holds the event of another', () => {
    expect(asked(vector(['news', P]), channels({ news: [], chat: [P] }))).toEqual({
      news: at(P, idOf('news', P)),
      chat: NONE,
    });
  });

  it('gives a channel without history no position', () => {
    const id = vector(['typing', undefined], ['chat', P]);
    expect(asked(id, channels({ typing: [], chat: [P] }))).toEqual({
      typing: NONE,
      chat: at(P, idOf('chat', P)),
    });
  });

  it('may name channels that are not streamed; they are ignored', () => {
    const id = vector(['gone', P], ['news', Q]);
    expect(asked(id, channels({ news: [Q] }))).toEqual({ news: at(Q, idOf('news', Q)) });
  });

  it('is read with its names decoded', () => {
    expect(asked(vector(['chat/a%2Fb', P]), channels({ 'chat/a%2Fb': [P], 'chat/a/b': [P] }))).toEqual({
      'chat/a%2Fb': at(P, idOf('chat/a%2Fb', P)),
      'chat/a/b': NONE,
    });
  });
});

describe('an id of version 0.1', () => {
  const nowhere = (text: string): unknown =>
    expect.objectContaining({
      kind: 'position',
      text,
      position: expect.objectContaining({ mark: '' }) as unknown,
    });

  it('is a position that no log holds, in every channel of the response', () => {
    const requested = nowhere('epoch-7');
    expect(asked('epoch-7', channels({ news: [P], chat: [] }))).toEqual({ news: requested, chat: requested });
  });

  it('with names is such a position in each channel that it names', () => {
    const id = 'news=epoch-7&typing=*&chat=other-2';
    expect(asked(id, channels({ news: [P], chat: [], typing: [], jobs: [P] }))).toEqual({
      news: nowhere('epoch-7'),
      chat: nowhere('other-2'),
      typing: NONE,
      jobs: NONE,
    });
  });
});

describe('an id that nobody can read', () => {
  it('is told to every channel as it was written', () => {
    const text = `${vector(['news', P])}&chat=?`;
    const requested = { kind: 'unreadable', text };
    expect(asked(text, channels({ news: [P], chat: [] }))).toEqual({ news: requested, chat: requested });
  });
});

describe('the positions of a response', () => {
  const anyId = fc.oneof(
    fc.string(),
    fc.tuple(channelName, anyPosition).map(([name, position]) => vector([name, position])),
    fc.tuple(channelName, anyPosition).map(([name, position]) => idOf(name, position)),
    fc.constant('e-1'),
  );
  const names = fc.uniqueArray(channelName, { minLength: 1, maxLength: 5 });

  it('are one for each of its channels, whatever the client sent', () => {
    fc.assert(
      fc.property(anyId, names, (lastEventId, names) => {
        const requested = positionsFor(lastEventId, new Map(names.map((name) => [name, holding(name)])));
        expect([...requested.keys()]).toEqual(names);
        for (const { kind } of requested.values()) expect(['none', 'position', 'unreadable']).toContain(kind);
      }),
    );
  });

  it('ask at least one channel for the event of an id, and never hide that its event is not there', () => {
    fc.assert(
      fc.property(names, channelName, anyPosition, (names, from, position) => {
        const text = idOf(from, position);
        const requested = [
          ...positionsFor(text, new Map(names.map((name) => [name, holding(name)]))).values(),
        ];
        expect(requested).toContainEqual(at(position, text));
      }),
    );
  });

  it('are those of the events that a client was sent, in each of its channels', () => {
    fc.assert(
      fc.property(names, fc.nat(), anyPosition, (names, place, position) => {
        const name = names[place % names.length]!;
        const candidates = new Map(
          names.map((each) => [each, each === name ? holding(each, position) : holding(each)]),
        );
        const text = idOf(name, position);
        expect(positionsFor(text, candidates).get(name)).toEqual(at(position, text));
      }),
    );
  });
});
