import { describe, expect, it } from '@jest/globals';
import { ChannelRecord } from './channel-record.js';
import { judge, type Rules, type Seen } from './oracle.js';

const STRICT: Rules = {
  mayForget: false,
  mayLose: false,
  replaysAll: false,
  hidesEvents: false,
  holdsEvents: false,
  heldAtEnd: 0,
};
const LOSSY: Partial<Rules> = { mayForget: true, mayLose: true };

const began = (stored = 0, newest = stored): Seen => ({ kind: 'began', stored, newest });
const events = (...numbers: number[]): Seen[] => numbers.map((number) => ({ kind: 'event', number }));
const gap = (
  reason: string,
  requested: number,
  oldest: number | null,
  more: Partial<Extract<Seen, { kind: 'gap' }>> = {},
): Seen => ({
  kind: 'gap',
  reason,
  requested: `id ${requested}`,
  oldest: oldest === null ? null : `id ${oldest}`,
  latest: 'id 9',
  newest: 9,
  goneUpTo: oldest === null ? 9 : oldest - 1,
  keepsUp: false,
  ...more,
});

/** Judges a history of a channel to which 1 to 9 were published, of which every third may be hidden. */
function judged(seen: readonly Seen[], rules: Partial<Rules> = {}, change?: (record: ChannelRecord) => void) {
  const record = new ChannelRecord('wide/a', 'wide');
  for (let number = 1; number <= 9; number++)
    record.stored(record.begin(0, number % 3 === 0), `id ${number}`);
  change?.(record);
  return judge(seen, record.events, record.ids, { ...STRICT, ...rules });
}

const RIGHT = { faults: [], missing: [] };
const lost =
  (...numbers: number[]) =>
  ({ events: all }: ChannelRecord): void => {
    for (const number of numbers) all[number - 1]!.isLost = true;
  };

describe('The oracle finds nothing wrong with', () => {
  const histories: readonly [string, Seen[], Partial<Rules>?, ((record: ChannelRecord) => void)?][] = [
    ['every event, once and in order', [began(), ...events(1, 2, 3, 4, 5, 6, 7, 8, 9)]],
    ['what was published before the client began', [began(4, 6), ...events(7, 8, 9)]],
    ['what was published while the client began', [began(4, 6), ...events(6, 7, 8, 9)]],
    ['a replay of what there was', [began(9), ...events(5, 6, 7, 8, 9)], { replaysAll: true }],
    ['hidden events', [began(), ...events(1, 2, 4, 5, 7, 8)], { hidesEvents: true }],
    ['events that were let go of', [began(), ...events(1, 2), gap('evicted', 2, 7), ...events(7, 8, 9)]],
    ['a purge', [began(), ...events(1), gap('evicted', 1, null)]],
    [
      'an operator that held events while a gap was told',
      [began(), ...events(1), gap('lagged', 1, 7), ...events(2, 3, 7, 8, 9)],
      { holdsEvents: true },
    ],
    [
      'an operator that held an event of a log that is lost, and of which a gap tells',
      [began(), ...events(1, 2, 3, 4, 5), gap('unknown', 5, 3), ...events(6, 3, 4, 7, 8, 9)],
      { ...LOSSY, holdsEvents: true },
      lost(5, 6),
    ],
    [
      'an event that the operator still holds',
      [began(), ...events(1, 2, 3, 4, 5, 6, 7, 8)],
      { heldAtEnd: 1 },
    ],
    [
      'what its store lost before the client had it',
      [began(), ...events(1, 2, 3, 6, 7, 8, 9)],
      LOSSY,
      lost(4, 5),
    ],
    [
      'what its store lost after the client had it',
      [began(), ...events(1, 2, 3, 4), gap('unknown', 4, 1), ...events(1, 2, 3, 6, 7, 8, 9)],
      LOSSY,
      lost(4, 5),
    ],
    [
      'a log that is forgotten',
      [began(), ...events(1, 2), gap('unknown', 2, null, { latest: 'nothing yet' })],
      LOSSY,
    ],
    [
      'an event that was refused',
      [began(), ...events(1, 2, 3, 5, 6, 7, 8, 9)],
      {},
      ({ events: all }) => (all[3]!.outcome = 'rejected'),
    ],
  ];
  for (const [title, seen, rules, change] of histories)
    it(title, () => expect(judged(seen, rules, change)).toEqual(RIGHT));
});

describe('The oracle finds', () => {
  const histories: readonly [string, Seen[], string, Partial<Rules>?, ((record: ChannelRecord) => void)?][] =
    [
      ['a duplicate', [began(), ...events(1, 2, 2)], '2 came twice'],
      ['a wrong order', [began(), ...events(1, 3, 2)], '2 came after 3'],
      ['a hole', [began(), ...events(1, 4)], '2, 3 did not come before 4, and no gap was told'],
      [
        'a hole at the beginning',
        [began(2, 3), ...events(5)],
        '4 did not come before 5, and no gap was told',
      ],
      [
        'what the client did not ask for',
        [began(2, 3), ...events(2)],
        '2 came although it was published before',
      ],
      [
        'a gap that leaves out what an operator holds',
        [began(), ...events(1), gap('lagged', 3, 7), ...events(7)],
        '2, 3 did not come before 7, and no gap was told',
        { holdsEvents: true },
      ],
      [
        'a gap that names too young an event as the oldest',
        [began(), ...events(1), gap('evicted', 1, 7), ...events(6)],
        '6 came after 6',
      ],
      [
        'a gap that names too old an event as the oldest',
        [began(), ...events(1), gap('evicted', 1, 7), ...events(8)],
        '7 did not come before 8, and no gap was told',
      ],
      [
        'a gap although nothing was let go of',
        [began(), ...events(1), gap('evicted', 1, 4, { goneUpTo: 0 })],
        'a gap "evicted" from 1 to 3, although at most 0 was let go of',
      ],
      [
        'a gap although nothing is missing',
        [began(), ...events(1, 2, 3), gap('evicted', 3, 4)],
        'a gap "evicted" from 3 to 3, although nothing is missing',
        { mayForget: true },
      ],
      [
        'a log that is not known although none was lost',
        [began(), ...events(1), gap('unknown', 1, 4)],
        'a gap "unknown" from 1 to 3, although its log was never lost',
      ],
      [
        'a gap for who keeps up',
        [began(), ...events(1), gap('lagged', 1, 4, { keepsUp: true })],
        'a gap "lagged" from 1 to 3 for a client that keeps up',
      ],
      [
        'a gap that is not to be understood',
        [began(), ...events(1), gap('unreadable', 1, 4)],
        'a gap "unreadable" from 1 to 3 has no reason that there is',
      ],
      [
        'a duplicate after the store was put back',
        [began(), ...events(1, 2), gap('unknown', 2, 1), ...events(1, 1)],
        '1 came twice',
        LOSSY,
        lost(2),
      ],
      [
        'what a rewound log gave away twice',
        [began(), ...events(1, 2, 3, 4, 9)],
        '6, 7, 8 did not come before 9, and no gap was told',
        LOSSY,
        lost(4, 5),
      ],
      [
        'an event that was refused',
        [began(), ...events(1)],
        '1 came although it was not published',
        {},
        ({ events: all }) => (all[0]!.outcome = 'rejected'),
      ],
    ];
  for (const [title, seen, fault, rules, change] of histories)
    it(title, () => expect(judged(seen, rules, change).faults).toContain(fault));

  it('what never came', () => {
    expect(judged([began(), ...events(1, 2, 3, 4, 5, 6)])).toEqual({ faults: [], missing: [7, 8, 9] });
  });

  it('two events with the same id', () => {
    const record = new ChannelRecord('wide/a', 'wide');
    for (const _ of [1, 2]) record.stored(record.begin(0, false), 'id');
    expect(record.doubleIds).toEqual(['wide/a: id']);
  });
});

describe('What a log may have let go of', () => {
  const goneUpTo = (kind: 'wide' | 'tiny' | 'lean', ...sizes: number[]): number => {
    const record = new ChannelRecord(`${kind}/a`, kind);
    for (const bytes of sizes) record.begin(bytes, false);
    return record.goneUpTo;
  };

  it.each([
    ['nothing, of a channel without a limit', goneUpTo('wide', 1, 1, 1, 1, 1_000_000), 0],
    ['all but the newest three', goneUpTo('tiny', 1, 1, 1, 1, 1), 2],
    ['all but the newest', goneUpTo('lean', 1, 1_500, 1_500), 2],
    ['the newest never', goneUpTo('lean', 1, 1_000_000), 1],
    ['nothing that fits', goneUpTo('lean', 500, 500), 0],
  ])('is %s', (_, gone, expected) => {
    expect(gone).toBe(expected);
  });

  it('is everything when a purge has begun', async () => {
    const record = new ChannelRecord('wide/a', 'wide');
    record.begin(0, false);
    const purging = record.purge(Promise.resolve());
    expect(record.goneUpTo).toBe(1);
    await purging;
    record.begin(0, false);
    expect(record.goneUpTo).toBe(1);
  });
});
