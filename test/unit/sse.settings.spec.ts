import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SseModuleOptions } from '../../src/sse/index.js';
import { channelSettings, moduleSettings } from '../../src/sse/sse.settings.js';
import { refusal, refused } from './refusal.js';

const MIB = 1024 * 1024;
const settings = (options: unknown): unknown => moduleSettings(options as SseModuleOptions);

/** `{ limits: { channels: 1 } }` of `limits.channels` and 1. */
const optionOf = (path: string, value: unknown): unknown =>
  path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value);

/**
 * Each option: what it takes, and what it refuses. The values show which check of `validate.spec.ts` the option
 * has; that spec has the rest.
 */
const table: Record<string, { readonly takes: readonly unknown[]; readonly refuses: readonly unknown[] }> = {
  history: { takes: [0, {}, { count: 1 }], refuses: [null, 1, { size: 1 }] },
  'history.count': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'history.bytes': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'history.age': { takes: [0.5, Infinity], refuses: [null, 0] },
  ttl: { takes: [0.5, Infinity], refuses: [null, 0] },
  replay: { takes: ['none', 'all', 0, Infinity], refuses: [null, -1, 'some'] },
  presence: { takes: [false, {}, { events: true }], refuses: [null, 1, { event: true }] },
  'presence.events': { takes: [true, false], refuses: [null, 0] },
  'presence.grace': { takes: [0, 60_000], refuses: [null, 0.5, 2 ** 31] },
  slow: { takes: ['gap', 'disconnect', { latest: () => 1 }], refuses: [null, 'some'] },
  maxEventBytes: { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  heartbeat: { takes: [0, 2 ** 31 - 1], refuses: [null, 0.5, 2 ** 31] },
  retry: { takes: [0, 2_000], refuses: [null, 0.5, 2 ** 31] },
  strictChannels: { takes: [true, false], refuses: [null, 0] },
  strictHandlers: { takes: [true, false], refuses: [null, 0] },
  limits: { takes: [{}], refuses: [null, 1, { channel: 1 }] },
  'limits.connections': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.connectionsPerKey': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.connectionsPerSecond': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.connectionAge': { takes: [1, 2 ** 31 - 1, Infinity], refuses: [null, 0, 1.5, 2 ** 31] },
  'limits.channelsPerConnection': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.channels': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.historyBytes': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.queuedBytes': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.joinsPerSecond': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  'limits.membersPerChannel': { takes: [1, Infinity], refuses: [null, 0, 1.5] },
  backplane: { takes: [], refuses: [null, 'redis', {}] },
  connectionKey: { takes: [() => undefined], refuses: [null, 'ip'] },
  whenFull: { takes: ['retry', 'refuse'], refuses: [null, 'wait'] },
  stockRoutes: { takes: ['serve', 'leave'], refuses: [null, 'keep'] },
  unguarded: { takes: ['open', 'deny'], refuses: [null, 'shut'] },
  authorizeTime: { takes: [1, 2 ** 31 - 1], refuses: [null, 0, 0.5, 2 ** 31] },
  reauthorize: { takes: [0, 60_000], refuses: [null, 0.5, 2 ** 31] },
  snapshotTime: { takes: [1, 2 ** 31 - 1], refuses: [null, 0, 0.5, 2 ** 31] },
  shutdown: { takes: [{}], refuses: [null, 1, { wait: 1 }] },
  'shutdown.notice': { takes: [0, 10_000], refuses: [null, 0.5, 2 ** 31] },
  'shutdown.grace': { takes: [0, 1_000], refuses: [null, 0.5, 2 ** 31] },
  'shutdown.spread': { takes: [0, 5_000], refuses: [null, 0.5, 2 ** 31] },
  health: { takes: [{}], refuses: [null, 1, { grace: 1 }] },
  'health.awayGrace': { takes: [0, 30_000, Infinity], refuses: [null, -1, 0.5] },
};

/** Where the settings have an option: those of a channel stand together. */
function settingOf(path: string, value: unknown): unknown {
  const ofChannel = ['history', 'ttl', 'replay', 'slow', 'presence'].includes(path.split('.')[0]!);
  const place = ofChannel ? ['channel', ...path.split('.')] : path.split('.');
  return place.reduce<unknown>(
    (inner, key) => (inner as Record<string, unknown>)[key],
    settings(optionOf(path, value)),
  );
}

describe('the defaults', () => {
  it('are those of the documentation', () => {
    const expected = {
      channel: {
        history: { count: 100, bytes: MIB, age: Infinity },
        ttl: 600_000,
        replay: 'none',
        slow: 'gap',
        compress: false,
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
        channelsWithOwnIds: 500,
        channels: 1_000_000,
        historyBytes: 256 * MIB,
        queuedBytes: MIB,
        joinsPerSecond: 10,
        membersPerChannel: 10_000,
      },
      connectionKey: expect.any(Function),
      whenFull: 'retry',
      stockRoutes: 'serve',
      shutdown: { notice: 0, grace: 1_000, spread: 5_000 },
      health: { awayGrace: 30_000 },
      authorizeTime: 5_000,
      snapshotTime: 5_000,
      reauthorize: 0,
    };
    expect(moduleSettings()).toEqual(expected);
    expect(moduleSettings({})).toEqual(expected);
  });

  it('has one limit of channels for both forms of ids, where one is given', () => {
    expect(moduleSettings({ limits: { channelsPerConnection: 60 } }).limits).toMatchObject({
      channelsPerConnection: 60,
      channelsWithOwnIds: 60,
    });
    expect(refusal(() => settings({ limits: { channelsWithOwnIds: 60 } }))).toEqual(
      refused('INVALID_OPTIONS'),
    );
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
  it.each(Object.entries(table))(
    '%s is taken, left out or refused by its name',
    (path, { takes, refuses }) => {
      for (const value of takes) {
        const isNone = (value === 0 && path === 'history') || (value === false && path === 'presence');
        const isObject = typeof value === 'object' && value !== null;
        const expected: unknown = isObject ? expect.objectContaining(value) : value;
        expect(settingOf(path, value)).toEqual(isNone ? undefined : expected);
      }
      const isOfPresence = path.startsWith('presence.');
      expect(settings(optionOf(path, undefined))).toEqual(
        moduleSettings(isOfPresence ? { presence: true } : {}),
      );
      for (const value of refuses) {
        expect(refusal(() => settings(optionOf(path, value)))).toEqual(
          refused('INVALID_OPTIONS', `"?${path}"?`),
        );
      }
    },
  );

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
  });

  it('stands in an object', () => {
    expect(refusal(() => settings(null))).toEqual(refused('INVALID_OPTIONS', /forRoot\(\) takes an object/));
  });

  it('of Nest’s dynamic module is none of these', () => {
    expect(moduleSettings({ isGlobal: false } as SseModuleOptions)).toEqual(moduleSettings());
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
