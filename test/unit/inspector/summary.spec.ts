import { describe, expect, it } from '@jest/globals';
import type { EventEvidence } from '../../../src/sse/inspector/explain/evidence.js';
import type { EventFacts } from '../../../src/sse/inspector/explain/event-facts.js';
import { aboutEvent, byOutcome, summaryOf } from '../../../src/sse/inspector/explain/summary.js';
import type { Outcome, Verdict } from '../../../src/sse/inspector/explain/verdict.js';

const SINCE = Date.UTC(2026, 0, 1, 12);

const event = (more: Partial<EventFacts> = {}): EventFacts => ({
  ...{ channel: 'news', offset: 7, id: '', state: 'kept', at: SINCE, type: 'note', bytes: 1, data: '1' },
  ...{ oldest: 1, newest: 9 },
  ...more,
});

const known = (kind?: 'purged' | 'completed', since = SINCE): EventEvidence => ({
  ...{ kind: 'event', published: undefined, since },
  cleared: kind ? [{ kind, at: SINCE, channel: 'news' }] : [],
});

const verdict = (outcome: Outcome): Verdict => ({ outcome, sentence: `It is ${outcome}.`, facts: [] });

describe('aboutEvent()', () => {
  it.each([
    [event(), [], 'Event 7 is in the log of "news".'],
    [
      event({ state: 'gone' }),
      [known(), known('completed')],
      'Event 7 is no longer in the log of "news": newer events have pushed it out.',
    ],
    [
      event({ state: 'gone' }),
      [known(), known('purged')],
      'Event 7 is no longer in the log of "news": it was purged, or newer events have pushed it out.',
    ],
    [event({ state: 'unknown' }), [], 'The log of "news" has no such event, and goes up to 9:'],
    [event({ state: 'unknown', newest: 0 }), [], 'The channel "news" has no events:'],
  ] as const)('says of %j what is known', (facts, evidence, sentence) => {
    expect(aboutEvent(facts, evidence)).toMatch(new RegExp(`^${sentence.replaceAll(/[.()]/g, '\\$&')}`));
  });
});

describe('summaryOf()', () => {
  it('says the best of what became of it for the connections of one', () => {
    const verdicts = [verdict('written'), verdict('denied')];
    expect(summaryOf(event(), [], verdicts, 'the user "ada"')).toBe('It is written.');
    expect(summaryOf(event(), [], [verdict('gap')], undefined)).toBe('It is gap.');
  });

  it('counts what became of it for all', () => {
    const verdicts = [verdict('written'), verdict('written'), verdict('denied')];
    expect(summaryOf(event(), [], verdicts, undefined)).toBe(
      'Event 7 is in the log of "news". Of 3 connections: written 2, denied 1.',
    );
  });

  it('says how far back it remembers where it knows of no connection', () => {
    const evidence = [known(), known(undefined, SINCE - 1_000)];
    expect(summaryOf(event(), evidence, [], 'the user "ada"')).toBe(
      'Event 7 is in the log of "news". Nothing is known of the user "ada": it is not open, and none of its ends, gaps or denials is remembered (the memory reaches back to 2026-01-01T11:59:59.000Z at most).',
    );
    expect(summaryOf(event(), evidence, [], undefined)).toBe(
      'Event 7 is in the log of "news". No connection is known that streamed the channel.',
    );
  });

  it('says of an event that is unknown no more than that, unless the channel was denied', () => {
    const unknown = event({ state: 'unknown' });
    const about = aboutEvent(unknown, []);
    expect(summaryOf(unknown, [], [verdict('waiting')], 'the user "ada"')).toBe(about);
    expect(summaryOf(unknown, [], [verdict('denied')], undefined)).toBe(about);
    expect(summaryOf(unknown, [], [], 'the user "ada"')).toBe(about);
    expect(summaryOf(unknown, [], [verdict('denied')], 'the user "ada"')).toBe(`It is denied. ${about}`);
  });
});

it('the best that can have become of an event comes first', () => {
  const order: Outcome[] = [
    ...(['written', 'replayed', 'passed', 'waiting', 'held', 'filtered'] as const),
    ...(['gap', 'denied', 'earlier', 'ended', 'absent'] as const),
  ];
  const sorted = [...order].reverse().map(verdict).sort(byOutcome);
  expect(sorted.map(({ outcome }) => outcome)).toEqual(order);
});
