import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseLastEventId, positionsFor, type Requested } from '../../../src/sse/protocol/position.js';
import { channelName } from '../texts.js';

const NONE = { kind: 'none' };
const at = (epoch: string, offset: number): Requested => ({ kind: 'position', position: { epoch, offset } });

/** What each channel of a response is asked for; `channels` are its channels with their epochs. */
const asked = (lastEventId: string | undefined, channels: Record<string, string>): Record<string, unknown> =>
  Object.fromEntries(positionsFor(parseLastEventId(lastEventId), new Map(Object.entries(channels))));

describe('a client without an id', () => {
  it('has no position in any channel', () => {
    expect(asked(undefined, { news: 'e', chat: 'f' })).toEqual({ news: NONE, chat: NONE });
  });
});

describe('a bare id', () => {
  it('is the position in the one channel of a response', () => {
    expect(asked('e-7', { news: 'e' })).toEqual({ news: at('e', 7) });
  });

  it('is asked of the one channel also when its epoch is another, so that the client hears of the gap', () => {
    expect(asked('old-7', { news: 'e' })).toEqual({ news: at('old', 7) });
  });

  it('belongs to the channel whose epoch it is; the others have no position', () => {
    expect(asked('f-7', { news: 'e', chat: 'f', jobs: 'g' })).toEqual({
      news: NONE,
      chat: at('f', 7),
      jobs: NONE,
    });
  });

  it('is asked of every channel when it is of none, so that nothing is lost silently', () => {
    expect(asked('old-7', { news: 'e', chat: 'f' })).toEqual({ news: at('old', 7), chat: at('old', 7) });
  });
});

describe('an id with names', () => {
  it('is the position in each channel that it names, also of an old epoch', () => {
    expect(asked('news=e-1&chat=old-2', { news: 'e', chat: 'f' })).toEqual({
      news: at('e', 1),
      chat: at('old', 2),
    });
  });

  it('is a position in the one channel of a response too', () => {
    expect(asked('news=e-1&chat=f-2', { chat: 'f' })).toEqual({ chat: at('f', 2) });
  });

  it('gives a channel that is missing in it no position, even one with the epoch of another', () => {
    expect(asked('news=f-1', { news: 'e', chat: 'f' })).toEqual({ news: at('f', 1), chat: NONE });
  });

  it('may name channels that are not streamed; they are ignored', () => {
    expect(asked('gone=e-1&news=e-2', { news: 'e' })).toEqual({ news: at('e', 2) });
  });

  it('is read with its names decoded', () => {
    expect(asked('chat%2Fa%252Fb=e-1', { 'chat/a%2Fb': 'e', 'chat/a/b': 'f' })).toEqual({
      'chat/a%2Fb': at('e', 1),
      'chat/a/b': NONE,
    });
  });
});

describe('an id that nobody can read', () => {
  it('is told to every channel as it was written', () => {
    const unreadable = { kind: 'unreadable', text: 'news=e-1&chat=?' };
    expect(asked('news=e-1&chat=?', { news: 'e', chat: 'f' })).toEqual({
      news: unreadable,
      chat: unreadable,
    });
  });
});

describe('the positions of a response', () => {
  it('are one for each of its channels and no other, whatever the client sent', () => {
    const id = fc.oneof(
      fc.string(),
      channelName.map((name) => `${encodeURIComponent(name)}=e-1`),
      fc.constant('e-1'),
    );
    fc.assert(
      fc.property(id, fc.uniqueArray(channelName, { maxLength: 5 }), (lastEventId, names) => {
        const epochs = new Map(names.map((name, i) => [name, `e${i}`]));
        expect([...positionsFor(parseLastEventId(lastEventId), epochs).keys()]).toEqual(names);
      }),
    );
  });
});
