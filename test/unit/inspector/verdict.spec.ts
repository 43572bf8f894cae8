import { describe, expect, it } from '@jest/globals';
import type { ConnectionEvidence } from '../../../src/sse/inspector/explain/evidence.js';
import type { EventFacts } from '../../../src/sse/inspector/explain/event-facts.js';
import { verdictOn, type Verdict } from '../../../src/sse/inspector/explain/verdict.js';
import type { Denied, Ended, GapTold } from '../../../src/sse/inspector/recent.js';

/** The stream of all cases begins then, after event 5. */
const BEGAN = Date.UTC(2026, 0, 1, 12);
const LATER = BEGAN + 60_000;

const who = { id: '0b9f3f6c-8f2b', user: 'ada', path: '/news', address: '127.0.0.1', since: BEGAN };

type Position = NonNullable<ConnectionEvidence['position']>;

const at = (given: number | undefined, more: Partial<Position> = {}): Position => ({
  ...{ channel: 'news', began: 5, liveAfter: 5, read: given ?? 5, given, head: 20 },
  ...{ types: undefined, hasFilter: false, way: 'direct', isResumed: false },
  ...more,
});

const event = (offset: number, more: Partial<EventFacts> = {}): EventFacts => ({
  ...{ channel: 'news', offset, id: '', state: 'kept', at: LATER, type: 'note', bytes: 1, data: '1' },
  ...{ oldest: 1, newest: 20 },
  ...more,
});

const evidence = (more: Partial<ConnectionEvidence> = {}): ConnectionEvidence => ({
  ...{ kind: 'connection', who, position: at(10), state: 'open', ended: undefined, hides: undefined },
  ...{ waiting: 0, behind: 0, gaps: [], denied: [] },
  ...more,
});

const ended = (reason: Ended['reason']): Pick<ConnectionEvidence, 'ended' | 'state'> => ({
  ended: { at: LATER, reason },
  state: 'ended',
});

const gap = (requested: string, oldest: string | null, latest: string, reason = 'evicted'): GapTold => ({
  ...{ kind: 'gap', at: LATER, who, channel: 'news', reason, requested, oldest, latest },
});

const denial = (reason: string): Denied => ({ kind: 'denied', at: LATER, who, channel: 'news', reason });

const ID = (offset: number): string => `${offset}.markHASH`;

type Case = [title: string, EventFacts, Partial<ConnectionEvidence>, Verdict['outcome'], sentence: string];

const NAME = 'the connection 0b9f3f6c of "ada"';
const ODD = { types: ['alert'] };
const OPERATORS = { way: 'operators' } as const;

const cases: Case[] = [
  // ---- Written
  ['written', event(9), {}, 'written', `Event 9 was written to ${NAME}.`],
  ['the last that was written', event(10), {}, 'written', `Event 10 was written to ${NAME}.`],
  ['the first after the start', event(6), {}, 'written', `Event 6 was written to ${NAME}.`],
  ['without a user', event(9), { who: { ...who, user: undefined } }, 'written', 'the connection 0b9f3f6c.'],
  [
    'written, and then ended',
    event(9),
    ended('slow'),
    'written',
    'ended (its client fell behind). The client has it if',
  ],
  // An event that was there before the stream had caught up is a replay.
  [
    'replayed from the past',
    event(9),
    { position: at(10, { liveAfter: 9 }) },
    'replayed',
    'when the stream began at 12:00:00.000 UTC.',
  ],
  [
    'replayed to a client that came back, which has not caught up',
    event(9),
    { position: at(10, { isResumed: true, liveAfter: undefined }) },
    'replayed',
    'when the client came back',
  ],
  ['the first after the past', event(9), { position: at(10, { liveAfter: 8 }) }, 'written', 'was written to'],
  // The clocks of the publisher's instance and of this one may differ.
  [
    'published before the start, by another clock',
    event(9, { at: BEGAN - 1 }),
    {},
    'written',
    'was written to',
  ],

  // ---- Passed: written, unless something has dropped it
  [
    'before another that was written, behind operators',
    event(9),
    { position: at(10, OPERATORS) },
    'passed',
    'unless an operator or interceptor of the route has dropped it',
  ],
  [
    'the last that was written, behind operators',
    event(10),
    { position: at(10, OPERATORS) },
    'written',
    'was written to',
  ],
  [
    'before another that was written, by a filter that cannot be asked',
    event(9),
    { position: at(10, { hasFilter: true }) },
    'passed',
    'unless the filter of the stream hid it',
  ],
  // The position of the client passes an event that its filter hides.
  [
    'the last, by a filter that cannot be asked',
    event(10),
    { position: at(10, { hasFilter: true }) },
    'passed',
    'unless the filter of the stream hid it',
  ],
  [
    'by a filter that lets it through now',
    event(9),
    { position: at(10, { hasFilter: true }), hides: 'no' },
    'written',
    'was written to',
  ],
  [
    'by a filter that throws',
    event(9),
    { position: at(10, { hasFilter: true }), hides: 'throws' },
    'passed',
    'unless the filter of the stream hid it',
  ],
  [
    'replayed behind operators, and then ended',
    event(9),
    { position: at(10, { ...OPERATORS, liveAfter: 9 }), ...ended('client') },
    'passed',
    'before the connection ended (its client has left)',
  ],

  // ---- Waiting
  ['due', event(11), {}, 'waiting', `Event 11 waits for ${NAME}: it is due in one of the next turns.`],
  [
    'behind a client that does not read',
    event(13),
    { state: 'backed up', waiting: 99, behind: 2 },
    'waiting',
    'does not take what was written (99 bytes wait), and 2 events up to this one are still to be read.',
  ],
  [
    'next for a client that does not read',
    event(11),
    { state: 'backed up', waiting: 99, behind: 1 },
    'waiting',
    'and this one is still to be read.',
  ],
  // Another instance has it no more, and the log of this reader still.
  [
    'gone elsewhere',
    event(11, { state: 'gone' }),
    { hides: 'no' },
    'waiting',
    'is due in one of the next turns',
  ],
  [
    'of a stream that begins',
    event(11),
    { position: at(undefined, { began: undefined }), state: 'opening' },
    'waiting',
    'is only beginning: its position in "news" is not known yet.',
  ],
  [
    'of a response that begins',
    event(11),
    { position: undefined, state: 'opening' },
    'waiting',
    'is only beginning',
  ],

  // ---- Held
  [
    'read and not written',
    event(11),
    { position: at(10, { read: 11, ...OPERATORS }) },
    'held',
    'was handed to the operators of the route',
  ],
  ['not read', event(12), { position: at(10, { read: 11, ...OPERATORS }) }, 'waiting', 'is due'],
  [
    'read by a stream that has written nothing',
    event(6),
    { position: at(undefined, { read: 6 }) },
    'held',
    'was handed',
  ],

  // ---- Filtered
  [
    'of another type',
    event(9),
    { position: at(10, ODD) },
    'filtered',
    `hidden from ${NAME} by its stream: it takes events of the types "alert", and this one is of "note".`,
  ],
  [
    'of a type that is taken',
    event(9, { type: 'alert' }),
    { position: at(10, ODD) },
    'written',
    'was written to',
  ],
  [
    'of a type that nobody knows',
    event(9, { type: undefined }),
    { position: at(10, ODD) },
    'written',
    'was written to',
  ],
  [
    'hidden by a filter',
    event(9),
    { position: at(10, { hasFilter: true }), hides: 'yes' },
    'filtered',
    'the "filter" of hub.stream() answers false for it.',
  ],
  // What the streams say now counts, not the types alone: there may be several streams of the channel.
  [
    'of a type that one of two streams takes',
    event(9),
    { position: at(10, ODD), hides: 'no' },
    'written',
    'was written to',
  ],
  ['to come, and of another type', event(11), { position: at(10, ODD) }, 'filtered', 'of the types "alert"'],
  ['to come, and hidden', event(11), { hides: 'yes' }, 'filtered', 'answers false'],

  // ---- Gap
  [
    'between the position of a client and the oldest event',
    event(9),
    { position: at(12, { began: 10 }), gaps: [gap(ID(8), ID(10), ID(20))] },
    'gap',
    'came with a position whose next events had left the log already, and was told so by a "gap" event (evicted) at 12:01:00.000 UTC.',
  ],
  [
    'the last that the client had',
    event(8),
    { gaps: [gap(ID(8), ID(10), ID(20))] },
    'written',
    'was written to',
  ],
  [
    'the oldest that was left',
    event(10),
    { gaps: [gap(ID(8), ID(10), ID(20))] },
    'written',
    'was written to',
  ],
  ['in a gap without an oldest event', event(20), { gaps: [gap(ID(8), null, ID(20))] }, 'gap', 'was gone'],
  [
    'after a gap without an oldest event',
    event(21),
    { gaps: [gap(ID(8), null, ID(20))] },
    'waiting',
    'is due',
  ],
  [
    'in a gap of a position that is none',
    event(1),
    { gaps: [gap('nonsense', ID(5), ID(20), 'unreadable')] },
    'gap',
    'came with a Last-Event-ID that is no position',
  ],
  [
    'in a gap of a position that the log does not know',
    event(3),
    { gaps: [gap('', ID(5), ID(20), 'unknown')] },
    'gap',
    'came with a position that the log does not know',
  ],
  [
    'before the position of another log',
    event(3),
    { position: at(10, { began: 4, isResumed: true }), gaps: [gap(ID(999), ID(5), ID(20), 'unknown')] },
    'gap',
    'came with a position that the log does not know',
  ],
  [
    'in a gap of a slow client',
    event(9),
    { gaps: [gap(ID(2), ID(4), ID(20)), gap(ID(8), ID(10), ID(20), 'lagged')] },
    'gap',
    'read so slowly that the log moved past it',
  ],
  [
    'in a gap of a newer version',
    event(9),
    { gaps: [gap(ID(8), ID(10), ID(20), 'new')] },
    'gap',
    'met a gap (new)',
  ],
  [
    'gone before a client that does not read got it',
    event(11, { state: 'gone' }),
    { state: 'backed up', waiting: 99 },
    'gap',
    'has read up to event 10 and does not take what was written (99 bytes wait). It is told of a gap when it reads on.',
  ],

  // ---- Denied
  [
    'of a channel that was refused',
    event(9),
    { position: undefined, denied: [denial('forbidden')], state: 'ended' },
    'denied',
    'The connection 0b9f3f6c of "ada" was denied the channel "news" (forbidden) at 12:01:00.000 UTC: the method with @AuthorizeChannel() refused it',
  ],
  [
    'after the channel was revoked',
    event(11),
    { ...ended('left'), denied: [denial('revoked')] },
    'denied',
    '(revoked) at 12:01:00.000 UTC: the channel had been taken away by revoke().',
  ],
  [
    'after its last channel was revoked',
    event(11),
    { ...ended('revoked'), denied: [denial('revoked')] },
    'denied',
    '(revoked)',
  ],
  [
    'before the channel was revoked',
    event(9),
    { ...ended('left'), denied: [denial('revoked')] },
    'written',
    'was written to',
  ],
  [
    'refused while the stream begins',
    event(9),
    { position: undefined, state: 'opening', denied: [denial('forbidden')] },
    'denied',
    '(forbidden)',
  ],
  [
    'denied earlier, and ended otherwise',
    event(11),
    { ...ended('client'), denied: [denial('forbidden')] },
    'ended',
    'ended (its client has left)',
  ],

  // ---- Earlier
  [
    'the last before the start',
    event(5),
    {},
    'earlier',
    `before the stream of ${NAME} began (12:00:00.000 UTC, after event 5): a client without a position gets no more of the past`,
  ],
  [
    'before the position of a client that came back',
    event(5),
    { position: at(10, { isResumed: true }) },
    'earlier',
    'its client came back with a position after it, so it says that it has had the event',
  ],

  // ---- Ended
  [
    'after the end, and kept',
    event(11),
    ended('client'),
    'ended',
    'had got everything up to event 10 when it ended (its client has left) at 12:01:00.000 UTC, before event 11. The log still has the event',
  ],
  [
    'after the end, and gone',
    event(11, { state: 'gone' }),
    ended('client'),
    'ended',
    'The log has the event no more',
  ],
  ['after it left the channel', event(11), ended('left'), 'ended', 'when it left the channel at'],
  [
    'after the end of a stream that wrote nothing',
    event(11),
    { position: at(undefined), ...ended('client') },
    'ended',
    'had got everything up to event 5',
  ],
  [
    'after the end, and of another type',
    event(11),
    { position: at(10, ODD), ...ended('client') },
    'ended',
    'ended (its client',
  ],

  // ---- Absent
  [
    'of another channel',
    event(9),
    { position: undefined },
    'absent',
    'The connection 0b9f3f6c of "ada" did not stream the channel "news".',
  ],
  [
    'of another channel, after the end',
    event(9),
    { position: undefined, ...ended('age') },
    'absent',
    'of "ada", which has ended (limits.connectionAge was reached), did not stream',
  ],
];

describe('verdictOn()', () => {
  it.each(cases)('judges an event that is %s', (_, facts, known, outcome, sentence) => {
    const verdict = verdictOn(facts, evidence(known));
    expect([verdict.outcome, verdict.sentence]).toEqual([outcome, expect.stringContaining(sentence)]);
    expect(verdict.sentence).not.toMatch(/undefined|NaN|null/);
  });

  it.each([
    ['completed', 'its stream has completed'],
    ['failed', 'its stream has failed'],
    ['client', 'its client has left'],
    ['slow', 'its client fell behind'],
    ['overflow', 'its client did not read'],
    ['gap', 'a plain stream could not be given to its end'],
    ['expired', 'the identity of its user expired'],
    ['revoked', 'it lost its last channel'],
    ['disconnected', 'it was disconnected'],
    ['age', 'limits.connectionAge was reached'],
    ['shutdown', 'its instance shut down'],
    ['refused', 'it was answered with an error status'],
  ] as const)('says that a connection has ended by "%s"', (reason, text) => {
    const { outcome, sentence, facts } = verdictOn(event(11), evidence(ended(reason)));
    expect([outcome, sentence]).toEqual(['ended', expect.stringContaining(`ended (${text})`)]);
    expect(facts).toContainEqual({ label: 'State', value: `ended: ${text}` });
  });

  it('lists what it has found', () => {
    const found = {
      position: at(undefined, { began: undefined, types: ['alert', 'note'], hasFilter: true }),
      ...{ waiting: 3, gaps: [gap(ID(8), ID(10), ID(20))], denied: [denial('revoked')], ...ended('left') },
    };
    expect(verdictOn(event(9), evidence(found)).facts).toEqual([
      { label: 'Connection', value: who.id },
      { label: 'User', value: 'ada' },
      { label: 'Path', value: '/news' },
      { label: 'Since', value: BEGAN, isTime: true },
      { label: 'State', value: 'ended: it left the channel' },
      { label: 'Ended', value: LATER, isTime: true },
      { label: 'Read up to event', value: 5 },
      { label: 'Newest event', value: 20 },
      { label: 'Types', value: 'alert, note' },
      { label: 'Filter', value: 'a function of the application' },
      { label: 'Bytes waiting', value: 3 },
      { label: 'Gap (evicted)', value: LATER, isTime: true },
      { label: 'Denied (revoked)', value: LATER, isTime: true },
    ]);
    expect(verdictOn(event(9), evidence({ who: { ...who, user: undefined } })).facts).toEqual([
      { label: 'Connection', value: who.id },
      { label: 'Path', value: '/news' },
      { label: 'Since', value: BEGAN, isTime: true },
      { label: 'State', value: 'open' },
      { label: 'Stream began after event', value: 5 },
      { label: 'Written up to event', value: 10 },
      { label: 'Read up to event', value: 10 },
      { label: 'Newest event', value: 20 },
    ]);
  });
});
