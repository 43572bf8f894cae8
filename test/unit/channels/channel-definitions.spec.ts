import { describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defineChannel, type ChannelRule } from '../../../src/sse/channels/channel-definition.js';
import { ChannelDefinitions } from '../../../src/sse/channels/channel-definitions.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { refusal, refused } from '../refusal.js';

const definitions = (rules: readonly ChannelRule[], options: SseModuleOptions = {}): ChannelDefinitions =>
  new ChannelDefinitions(moduleSettings(options), rules);

describe('what holds for a channel', () => {
  it('is what its definition says, and what that leaves out the module says', () => {
    const rules = [defineChannel('chat/:room', { history: { count: 7 }, replay: 'all' })];
    const all = definitions(rules, {
      history: { bytes: 5_000, age: 60_000 },
      ttl: 90_000,
      slow: 'disconnect',
    });
    expect(all.settingsOf('chat/lobby')).toEqual({
      history: { count: 7, bytes: 5_000, age: 60_000 },
      ttl: 90_000,
      replay: 'all',
      slow: 'disconnect',
      compress: false,
    });
  });

  it('is what the module says when no definition matches', () => {
    const all = definitions([defineChannel('chat/:room', { ttl: 1 })], { ttl: 2, history: 0 });
    expect(all.settingsOf('news')).toMatchObject({ ttl: 2, history: undefined });
  });

  it('can be history where the module has none, and none where the module has some', () => {
    const rules = [defineChannel('kept', { history: { count: 3 } }), defineChannel('gone', { history: 0 })];
    expect(definitions(rules, { history: 0 }).settingsOf('kept').history).toEqual({
      count: 3,
      bytes: 2 ** 20,
      age: Infinity,
    });
    expect(definitions(rules).settingsOf('gone').history).toBeUndefined();
  });

  it('is what the first definition says that matches, in the order in which they were registered', () => {
    const exact = defineChannel('a/b', { ttl: 1 });
    const first = defineChannel('a/:x', { ttl: 2 });
    const second = defineChannel(':x/b', { ttl: 3 });
    const ttls = (...rules: ChannelRule[]): number[] =>
      ['a/b', 'a/c', 'c/b'].map((name) => definitions(rules).settingsOf(name).ttl);
    expect(ttls(exact, first, second)).toEqual([1, 2, 3]);
    expect(ttls(second, first, exact)).toEqual([3, 2, 3]);
  });

  it('stays the same however many names there are', () => {
    const all = definitions([defineChannel('a/:x', { ttl: 1 }), defineChannel('b/:x', { ttl: 2 })]);
    for (let i = 0; i < 25_000; i++) {
      expect([all.settingsOf(`a/${i}`).ttl, all.settingsOf(`b/${i}`).ttl]).toEqual([1, 2]);
    }
  });
});

describe('the names that were asked for', () => {
  const heap = (): number => {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    return process.memoryUsage().heapUsed;
  };

  it('are not all kept: whoever makes them up would fill the memory', () => {
    const all = definitions([defineChannel('a/:x')]);
    const before = heap();
    for (let i = 0; i < 200_000; i++) all.settingsOf(`a/${i}`.padEnd(200, 'x'));
    expect(heap() - before).toBeLessThan(15_000_000);
    expect(all.settingsOf('a/1').ttl).toBe(600_000);
  });
});

describe('definitions', () => {
  it('fail when two have the same pattern', () => {
    const rules = [defineChannel('a/:x'), defineChannel('b'), defineChannel('a/:x', { ttl: 1 })];
    expect(refusal(() => definitions(rules))).toEqual(refused('DUPLICATE_DEFINITION', '"a/:x"'));
  });

  it('fail when two are of the same channels, whatever their parameters are called', () => {
    const rules = [defineChannel('a/:x/b'), defineChannel('a/:x'), defineChannel('a/:y')];
    expect(refusal(() => definitions(rules))).toEqual(refused('DUPLICATE_DEFINITION', '"a/:x" and "a/:y"'));
  });

  it('may be the same one twice, when two modules use it', () => {
    const shared = defineChannel('a/:x', { ttl: 1 });
    expect(definitions([shared, shared]).settingsOf('a/1').ttl).toBe(1);
  });
});

describe('a name', () => {
  it('is refused when it is ill-formed, each time', () => {
    for (const name of ['', '/a', 'a//b', 'a\nb', 'x'.repeat(201)]) {
      const all = definitions([defineChannel(':x')]);
      for (let i = 0; i < 2; i++) {
        expect(refusal(() => all.settingsOf(name))).toEqual(
          refused('INVALID_CHANNEL', JSON.stringify(name).slice(1, 20).replace(/[\\/]/g, '.')),
        );
      }
    }
  });

  it('is refused when it is no text', () => {
    for (const name of [undefined, null, 7, {}]) {
      expect(refusal(() => definitions([]).settingsOf(name as never))).toEqual(
        refused('INVALID_CHANNEL', /not a string/),
      );
    }
  });

  it('that matches no definition is refused with strictChannels, and only then', () => {
    const rules = [defineChannel('chat/:room')];
    const strict = definitions(rules, { strictChannels: true });
    expect(refusal(() => strict.settingsOf('news'))).toEqual(refused('UNKNOWN_CHANNEL', '"news"'));
    expect(refusal(() => strict.settingsOf('news'))).toEqual(refused('UNKNOWN_CHANNEL', /defineChannel/));
    expect(refusal(() => strict.settingsOf('chat/a'))).toHaveProperty('accepted');
    expect(refusal(() => definitions(rules).settingsOf('news'))).toHaveProperty('accepted');
  });

  it('that is ill-formed is told so with strictChannels too', () => {
    const strict = definitions([], { strictChannels: true });
    expect(refusal(() => strict.settingsOf('a//b'))).toEqual(refused('INVALID_CHANNEL'));
  });
});
