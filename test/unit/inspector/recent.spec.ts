import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import * as diagnostics from '../../../src/sse/diagnostics/diagnostics.js';
import type { EndReason, ObservedConnection } from '../../../src/sse/diagnostics/messages.js';
import { Recent } from '../../../src/sse/inspector/recent.js';
import { SseError } from '../../../src/sse/sse.errors.js';
import { whenTestEnds } from '../../support/clean-up.js';

const MEGABYTE = 1_000_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A piece of a text that a client has sent. */
const piece = (n: number): string => `/a/path/of/some/length/${n}`.padEnd(MEGABYTE, '?').slice(0, 30);

const connection = (n: number): ObservedConnection => ({
  id: `${n}`,
  request: {},
  positions: [],
  info: { id: `${n}`, path: piece(n), connectedAt: new Date(), channels: [] } as never,
});

const ofHub = { hub: 'hub' };
const ofChannel = { ...ofHub, channel: 'news', definition: undefined };

/** Remembers from now on, all but the connection "own". */
function remember(memory = { bytes: MEGABYTE, age: 60_000 }): Recent {
  const recent = new Recent('hub', memory, ({ id }) => id !== 'own');
  whenTestEnds(() => recent.close());
  return recent;
}

/** A connection that reads these channels up to an event. */
const reading = (id: string, ...channels: string[]): ObservedConnection => ({
  ...{ id, request: {} },
  positions: channels.map((channel) => ({ channel, read: 3 })) as never,
  info: {
    ...{ id, user: 'ada', path: '/events', address: '127.0.0.1', channels },
    connectedAt: new Date(1_000),
  },
});

const end = (one: ObservedConnection, reason: EndReason): void =>
  diagnostics.connectionEnded.publish({ ...ofHub, connection: one, reason, duration: 1 });

const leave = (one: ObservedConnection, channel = 'news'): void =>
  diagnostics.streamEnded.publish({ ...ofChannel, channel, connection: one });

const deny = (one: ObservedConnection): void =>
  diagnostics.streamDenied.publish({ ...ofChannel, connection: one, reason: 'forbidden' });

describe('Recent', () => {
  it('has the end of a connection with its positions, once', () => {
    const recent = remember();
    const one = reading('1', 'news', 'other');
    end(one, 'client');
    leave(one, 'news');
    leave(one, 'other');
    const who = { id: '1', user: 'ada', path: '/events', address: '127.0.0.1', since: 1_000 };
    const { positions } = one;
    expect([...recent.ended]).toEqual([
      { kind: 'ended', at: expect.any(Number), who, reason: 'client', positions },
    ]);
  });

  it('has the end of a stream of a connection that goes on, with the position in its channel', () => {
    const recent = remember();
    leave(reading('1', 'news', 'other'));
    expect([...recent.ended]).toMatchObject([
      { who: { id: '1' }, reason: 'left', positions: [{ channel: 'news' }] },
    ]);
    expect([...recent.ended][0]!.positions).toHaveLength(1);
  });

  it('has nothing of connections that are not shown', () => {
    const recent = remember();
    const own = reading('own', 'news');
    leave(own);
    end(own, 'client');
    expect([...recent.ended]).toEqual([]);
  });

  it('has what was published, with its id or with the reason of its failure', () => {
    const recent = remember();
    const told = (more: object): void =>
      diagnostics.publishing.asyncEnd.publish({ ...ofChannel, startedAt: 0, type: 'note', ...more });
    told({ bytes: 9, result: { id: '1.aHASH' } });
    told({ error: new SseError('HUB_FULL', 'Full.') });
    told({ error: new Error('x'.repeat(300)) });
    told({ error: 'no error' });
    const of = { kind: 'published', at: expect.any(Number), channel: 'news', type: 'note' };
    const failed = { ...of, id: '', bytes: undefined };
    expect([...recent.published]).toEqual([
      { ...failed, error: 'an error' },
      { ...failed, error: 'x'.repeat(200) },
      { ...failed, error: 'HUB_FULL' },
      { ...of, id: '1.aHASH', bytes: 9, error: undefined },
    ]);
  });

  it('has the channels that were purged and completed', () => {
    const recent = remember();
    diagnostics.channelPurged.publish(ofChannel);
    diagnostics.channelCompleted.publish(ofChannel);
    expect([...recent.cleared]).toEqual([
      { kind: 'completed', at: expect.any(Number), channel: 'news' },
      { kind: 'purged', at: expect.any(Number), channel: 'news' },
    ]);
  });

  it('counts as notable what somebody may ask about, the newest first', () => {
    const recent = remember();
    jest.useFakeTimers({ now: 5_000 });
    whenTestEnds(() => jest.useRealTimers());
    const one = reading('1', 'news');
    for (const reason of ['client', 'completed', 'shutdown'] as const) end(one, reason);
    leave(reading('2', 'news'));
    deny(one);
    jest.advanceTimersByTime(1);
    const gap = { reason: 'evicted', requested: '1.aHASH', oldest: null, latest: '' };
    diagnostics.streamGap.publish({ ...ofChannel, connection: one, ...gap });
    jest.advanceTimersByTime(1);
    end(one, 'slow');
    jest.advanceTimersByTime(1);
    deny(one);
    const said = recent.notable(3).map(({ kind, reason, at }) => `${at} ${kind} ${reason}`);
    expect(said).toEqual(['5003 denied forbidden', '5002 ended slow', '5001 gap evicted']);
    expect(recent.notable(10)).toHaveLength(4);
    expect(recent.notable(10)[2]).toMatchObject({ channel: 'news', ...gap, who: { id: '1' } });
  });

  it.each([
    'failed',
    'slow',
    'overflow',
    'gap',
    'expired',
    'revoked',
    'disconnected',
    'age',
    'refused',
  ] as const)('counts an end by "%s" as notable', (reason) => {
    const recent = remember();
    end(reading('1', 'news'), reason);
    expect(recent.notable(1)).toMatchObject([{ kind: 'ended', reason }]);
  });

  it('keeps a share of its memory for each kind, by the size of what it keeps', () => {
    const bytes = 100_000;
    const recent = remember({ bytes, age: 60_000 });
    const text = 'x'.repeat(1_000);
    const one = reading(text, text);
    const result = { id: text };
    for (let n = 0; n < 100; n++) {
      diagnostics.publishing.asyncEnd.publish({
        ...{ ...ofChannel, channel: text, startedAt: 0, type: text, result },
      });
      end(one, 'slow');
      deny({ ...one, info: { ...one.info, path: text, address: text, user: text } });
      diagnostics.streamGap.publish({
        ...{ ...ofChannel, channel: text, connection: one, reason: 'evicted' },
        ...{ requested: text, oldest: null, latest: '' },
      });
      diagnostics.channelPurged.publish({ ...ofChannel, channel: text });
    }
    const counts = [recent.published, recent.ended, recent.gaps, recent.denied, recent.cleared].map(
      (kind) => [...kind].length,
    );
    // Two bytes for each character of their texts, and some for what is around them.
    expect(counts).toEqual([6, 6, 2, 1, 2]);
  });

  it('hears nothing any more when it is closed', () => {
    const recent = remember();
    recent.close();
    end(reading('1', 'news'), 'slow');
    expect([...recent.ended]).toEqual([]);
  });

  it('keeps no more of what clients send than it says', () => {
    const recent = new Recent('hub', { bytes: MEGABYTE, age: 60_000 }, () => true);
    whenTestEnds(() => recent.close());
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 100; n++) {
      diagnostics.connectionEnded.publish({
        hub: 'hub',
        connection: connection(n),
        reason: 'client',
        duration: 1,
      });
      const gap = { reason: 'unreadable', requested: piece(n), oldest: null, latest: '' };
      diagnostics.streamGap.publish({
        hub: 'hub',
        connection: connection(n),
        channel: 'news',
        definition: undefined,
        ...gap,
      });
    }
    expect([...recent.ended]).toHaveLength(100);
    expect([...recent.gaps].length).toBeGreaterThan(50);
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * MEGABYTE);
  });
});
