import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { connectionEnded, streamGap } from '../../../src/sse/diagnostics/diagnostics.js';
import type { ObservedConnection } from '../../../src/sse/diagnostics/messages.js';
import { Recent } from '../../../src/sse/inspector/recent.js';
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

describe('Recent', () => {
  it('keeps no more of what clients send than it says', () => {
    const recent = new Recent('hub', { bytes: MEGABYTE, age: 60_000 }, () => true);
    whenTestEnds(() => recent.close());
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 100; n++) {
      connectionEnded.publish({ hub: 'hub', connection: connection(n), reason: 'client', duration: 1 });
      const gap = { reason: 'unreadable', requested: piece(n), oldest: null, latest: '' };
      streamGap.publish({
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
