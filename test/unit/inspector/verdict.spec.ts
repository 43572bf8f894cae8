import { describe, expect, it } from '@jest/globals';
import type { ConnectionEvidence } from '../../../src/sse/inspector/explain/evidence.js';
import type { EventFacts } from '../../../src/sse/inspector/explain/event-facts.js';
import { verdictOn } from '../../../src/sse/inspector/explain/verdict.js';

describe('verdictOn()', () => {
  it('says why a connection has ended whose client had too much waiting', () => {
    const event = { channel: 'news', offset: 7, state: 'kept' } as EventFacts;
    const evidence = {
      who: { id: 'abc', since: 0, path: '/events' },
      position: { channel: 'news', began: 0, read: 5, given: 5, head: 7 },
      ended: { at: 0, reason: 'overflow' },
      waiting: 0,
      gaps: [],
      denied: [],
    } as unknown as ConnectionEvidence;
    const { outcome, sentence, facts } = verdictOn(event, evidence);
    expect([outcome, sentence]).toEqual([
      'ended',
      expect.stringContaining('ended (its client did not read)'),
    ]);
    expect(facts).toContainEqual({ label: 'State', value: 'ended: its client did not read' });
  });
});
