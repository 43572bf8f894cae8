import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SseModuleOptions } from '../../src/sse/index.js';
import { channelSettings, moduleSettings } from '../../src/sse/sse.settings.js';
import { refusal, refused } from './refusal.js';

const MIB = 1024 * 1024;
const DAY = 86_400_000;
const settings = (options: unknown): unknown => moduleSettings(options as SseModuleOptions);

/** `{ limits: { channels: 1 } }` of `limits.channels` and 1. */
const optionOf = (path: string, value: unknown): unknown =>
  path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value);

const noNumber = [
  null,
  NaN,
  -1,
  '1',
  '',
  true,
  [],
  {},
  () => 1,
  Symbol('a'),
  1n,
  Object.create(null) as unknown,
];
const noCount = [...noNumber, 0, 1.5, 2 ** 53, -Infinity];
const noMilliseconds = [...noNumber, 0.5, Infinity, 2 ** 31];
const noDuration = [...noNumber, 0, -Infinity];
const noWord = [null, '', 'some', 'GAP', 1, false, [], {}, ['gap'], Symbol('a')];
const noObject = [null, 1, '', 'all', true, [], () => 1];

/** Of each option: what it takes, and what it does not. */
const table: Record<string, { readonly takes: readonly unknown[]; readonly refuses: readonly unknown[] }> = {
  history: { takes: [0, {}, { count: 1 }], refuses: [...noObject, { size: 1 }] },
  'history.count': { takes: [1, 200, Infinity], refuses: noCount },
  'history.bytes': { takes: [1, MIB, Infinity], refuses: noCount },
  'history.age': { takes: [1, 0.5, DAY, Infinity], refuses: noDuration },
  ttl: { takes: [1, DAY, Infinity], refuses: noDuration },
  replay: {
    takes: ['none', 'all', 0, 1, 100, Infinity],
    refuses: [null, -1, 1.5, NaN, 'some', '1', true, {}],
  },
  presence: { takes: [false, {}, { events: true }], refuses: [null, 1, 'yes', [], { event: true }] },
  'presence.events': { takes: [true, false], refuses: [null, 0, 'true', {}] },
  'presence.grace': { takes: [0, 1, 60_000], refuses: noMilliseconds },
  slow: { takes: ['gap', 'disconnect'], refuses: noWord },
  maxEventBytes: { takes: [1, MIB, Infinity], refuses: noCount },
  heartbeat: { takes: [0, 1, 15_000, 2 ** 31 - 1], refuses: noMilliseconds },
  retry: { takes: [0, 1, 2_000], refuses: noMilliseconds },
  strictChannels: { takes: [true, false], refuses: [null, 0, 1, 'true', '', {}] },
  limits: { takes: [{}], refuses: [...noObject, { channel: 1 }] },
  'limits.connections': { takes: [1, Infinity], refuses: noCount },
  'limits.connectionsPerKey': { takes: [1, Infinity], refuses: noCount },
  'limits.connectionsPerSecond': { takes: [1, Infinity], refuses: noCount },
  'limits.connectionAge': { takes: [1, 2 ** 31 - 1, Infinity], refuses: [...noCount, 2 ** 31] },
  'limits.channelsPerConnection': { takes: [1, 50, Infinity], refuses: noCount },
  'limits.channels': { takes: [1, Infinity], refuses: noCount },
  'limits.historyBytes': { takes: [1, Infinity], refuses: noCount },
  'limits.queuedBytes': { takes: [1, Infinity], refuses: noCount },
  backplane: { takes: [], refuses: [null, 'redis', {}, 1] },
  connectionKey: { takes: [() => undefined], refuses: [null, 'ip', {}, 1] },
  'limits.joinsPerSecond': { takes: [1, 10, Infinity], refuses: noCount },
  'limits.membersPerChannel': { takes: [1, Infinity], refuses: noCount },
  whenFull: { takes: ['retry', 'refuse'], refuses: noWord },
  shutdown: { takes: [{}], refuses: [...noObject, { wait: 1 }] },
  'shutdown.grace': { takes: [0, 1_000], refuses: noMilliseconds },
  'shutdown.spread': { takes: [0, 5_000], refuses: noMilliseconds },
};

const cases = (which: 'takes' | 'refuses'): [string, unknown][] =>
  Object.entries(table).flatMap(([path, row]) => row[which].map((value): [string, unknown] => [path, value]));

describe('the defaults', () => {
  it('are those of the documentation', () => {
    const expected = {
      channel: {
        history: { count: 100, bytes: MIB, age: Infinity },
        ttl: 600_000,
        replay: 'none',
        slow: 'gap',
        presence: undefined,
      },
      maxEventBytes: MIB,
      heartbeat: 15_000,
      retry: 2_000,
      strictChannels: false,
      strictHandlers: true,
      unguarded: 'open',
      limits: {
        connections: 20_000,
        connectionsPerKey: Infinity,
        connectionsPerSecond: Infinity,
        connectionAge: Infinity,
        channelsPerConnection: 50,
        channels: 1_000_000,
        historyBytes: 256 * MIB,
        queuedBytes: MIB,
        joinsPerSecond: 10,
        membersPerChannel: 10_000,
      },
      connectionKey: expect.any(Function),
      whenFull: 'retry',
      stockRoutes: 'serve',
      shutdown: { grace: 1_000, spread: 5_000 },
      authorizeTime: 5_000,
      snapshotTime: 5_000,
      reauthorize: 0,
    };
    expect(moduleSettings()).toEqual(expected);
    expect(moduleSettings({})).toEqual(expected);
  });

  it.each(Object.keys(table))('hold where %s is undefined', (path) => {
    const [first, inner] = path.split('.');
    const given = first === 'presence' && inner ? { presence: true } : {};
    expect(settings(optionOf(path, undefined))).toEqual(moduleSettings(given));
  });

  it('are not changed by what one module is given', () => {
    moduleSettings({ history: { count: 1 }, limits: { channels: 1 }, shutdown: { grace: 1 } });
    expect(moduleSettings()).toMatchObject({
      channel: { history: { count: 100 } },
      limits: { channels: 1_000_000 },
    });
  });
});

describe('an option', () => {
  it.each(cases('takes'))('%s may be %p', (path, value) => {
    const [first, ...rest] = path.split('.') as [string];
    const place = ['history', 'ttl', 'replay', 'slow', 'presence'].includes(first)
      ? ['channel', first, ...rest]
      : [first, ...rest];
    const isNone = (value === 0 && path === 'history') || (value === false && path === 'presence');
    const given = isNone ? undefined : value;
    const made = place.reduce<unknown>(
      (inner, key) => (inner as Record<string, unknown>)[key],
      settings(optionOf(path, value)),
    );
    expect(made).toEqual(typeof given === 'object' ? expect.objectContaining(given!) : given);
  });

  it.each(cases('refuses'))('%s is refused, by its name, when it is %p', (path, value) => {
    expect(refusal(() => settings(optionOf(path, value)))).toEqual(refused('INVALID_OPTIONS', `"?${path}"?`));
  });

  it('may be true for presence: as the defaults say, or the module', () => {
    const defaults = { events: false, grace: 5_000 };
    const { channel } = moduleSettings({ presence: true });
    expect(channel.presence).toEqual(defaults);
    expect(channelSettings({ presence: { events: true } }, channel).presence).toEqual({
      ...defaults,
      events: true,
    });
    const { channel: own } = moduleSettings({ presence: { grace: 1 } });
    expect(channelSettings({ presence: true }, own).presence).toEqual({ ...defaults, grace: 1 });
  });

  it('is taken, or refused by an SseError, whatever it is', () => {
    const path = fc.constantFrom(...Object.keys(table));
    const value = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true });
    fc.assert(
      fc.property(path, value, (path, value) => {
        const outcome = refusal(() => settings(optionOf(path, value)));
        if (outcome instanceof Error) expect(outcome).toEqual(refused('INVALID_OPTIONS', path.split('.')[0]));
      }),
      { numRuns: 1_000 },
    );
  });

  it('that does not exist is refused by its name, with those that do', () => {
    expect(refusal(() => settings({ heartBeat: 1 }))).toEqual(
      refused('INVALID_OPTIONS', /"heartBeat".*heartbeat/),
    );
    expect(refusal(() => settings({ channel: {} }))).toEqual(refused('INVALID_OPTIONS', /"channel"/));
    expect(refusal(() => settings({ limits: { channel: 1 } }))).toEqual(
      refused('INVALID_OPTIONS', /limits.*"channel".*channels/),
    );
    expect(refusal(() => settings({ history: { size: 1 } }))).toEqual(
      refused('INVALID_OPTIONS', /history.*"size".*count/),
    );
    expect(refusal(() => settings({ shutdown: { wait: 1 } }))).toEqual(
      refused('INVALID_OPTIONS', /shutdown.*"wait".*grace/),
    );
  });

  it('of Nest’s dynamic module is none of these', () => {
    expect(moduleSettings({ isGlobal: false } as SseModuleOptions)).toEqual(moduleSettings());
  });
});

describe('options', () => {
  it.each([null, 1, 'text', [], () => 1])('are refused when they are no object but %p', (options) => {
    expect(refusal(() => settings(options))).toEqual(refused('INVALID_OPTIONS', /object/));
  });
});

describe('the settings of a channel', () => {
  const inherited = moduleSettings({
    history: { count: 5, age: 7 },
    ttl: 3,
    replay: 4,
    slow: 'disconnect',
  }).channel;

  it('are the module’s where it says nothing of its own', () => {
    expect(channelSettings({}, inherited)).toEqual(inherited);
  });

  it('are its own where it does, field by field', () => {
    expect(channelSettings({ history: { age: 8 }, slow: 'gap' }, inherited)).toEqual({
      ...inherited,
      history: { count: 5, bytes: MIB, age: 8 },
      slow: 'gap',
    });
  });

  it('have the default history where the module has none and it wants one', () => {
    const none = moduleSettings({ history: 0 }).channel;
    expect(none.history).toBeUndefined();
    expect(channelSettings({ history: {} }, none).history).toEqual({ count: 100, bytes: MIB, age: Infinity });
  });
});
