import { beforeEach, describe, expect, it } from '@jest/globals';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import type { NatsServer } from '../support/nats-server.js';
import { dataOf as dataOfEntries } from '../../src/sse/testing/contracts/channel-under-test.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { append, dataOf, follow, instancesOn, isAt, KEEP, texts } from './nats.instances.js';

const SETTINGS = settingsOf(KEEP);

/** What a client gets that comes back with a position, by both ways to ask. */
async function resumed(backplane: SseBackplane, after: Position, channel = 'a') {
  const { entries, missing } = await backplane.read(channel, SETTINGS, { after, limit: Infinity });
  const listener = await new Listener(backplane, channel, SETTINGS).ready;
  const followed = await listener.after(after);
  listener.stop();
  expect(followed && dataOfEntries(followed)).toEqual(missing ? undefined : dataOfEntries(entries));
  return { missing, data: dataOfEntries(entries) };
}

/** What a NATS server may lose that it had said to be stored, by itself or by other hands. */
describeWith('nats-server', 'a NATS server that has lost events', (path) => {
  const { serve, instance, client } = instancesOn(path);
  let server: NatsServer;
  let one: SseBackplane;

  beforeEach(async () => {
    server = await serve();
    one = await instance();
  });

  const all = async (backplane: SseBackplane, data: readonly string[]): Promise<Position[]> => {
    const positions: Position[] = [];
    for (const text of data) positions.push(await append(backplane, text));
    return positions;
  };

  describe('as it came back with an older copy of its store', () => {
    /** Events 0 to 4 are in the copy, 5 to 9 are not. */
    const rewound = async (): Promise<Position[]> => {
      const positions = await all(one, texts(5));
      await server.stop();
      await server.save();
      await server.start();
      positions.push(...(await all(one, texts(10).slice(5))));
      return positions;
    };
    const comeBack = async (): Promise<void> => {
      await server.stop('SIGKILL');
      await server.restore();
      await server.start();
    };

    it.each([
      { what: 'nothing', published: [] },
      { what: 'fewer events', published: texts(1, 'new') },
      { what: 'as many events', published: texts(5, 'new') },
      { what: 'more events', published: texts(12, 'new') },
    ])(
      'tells those of a gap who had what is lost, by instances that know nothing, with $what since',
      async ({ published }) => {
        const positions = await rewound();
        await one.close();
        await comeBack();
        const stranger = await instance();
        const again = await all(stranger, published);
        const left = [...texts(5), ...published];
        for (const lost of positions.slice(5))
          expect(await resumed(stranger, lost)).toEqual({ missing: 'unknown', data: left });
        for (const [i, kept] of [...positions.slice(0, 5), ...again].entries())
          expect(await resumed(stranger, kept)).toEqual({ missing: undefined, data: left.slice(i + 1) });
      },
    );

    it('tells those of it who stayed, and gives them everything that comes', async () => {
      const listener = await follow(one);
      const positions = await rewound();
      await isAt(listener, positions.at(-1)!);
      await comeBack();
      await eventually(() => listener.told.includes('replaced'));
      expect(positions.map((position) => listener.log.has(position))).toEqual([
        ...texts(5).map(() => true),
        ...texts(5).map(() => false),
      ]);
      const again = await all(one, texts(8, 'new'));
      await isAt(listener, again.at(-1)!);
      expect(again.map((position) => listener.log.has(position))).toEqual(again.map(() => true));
      expect(dataOf(listener).slice(-8)).toEqual(texts(8, 'new'));
    });

    it('tells those who stayed also when others have published to the older log before they came', async () => {
      const late = await instance({ connection: { servers: server.address, reconnectTimeWait: 600 } });
      const listener = await follow(late);
      const positions = await rewound();
      await eventually(() => listener.log.has(positions.at(-1)!));
      await comeBack();
      const stranger = await instance();
      const given = await all(stranger, texts(12, 'new'));
      await isAt(listener, given.at(-1)!);
      for (const lost of positions.slice(5)) expect(listener.log.missing(lost)).toBe('unknown');
      for (const position of given) expect(listener.log.has(position)).toBe(true);
    });

    it('stores an event anew that was lost, under a mark of its own', async () => {
      const publish = () => one.append('a', SETTINGS, stored('x'), 'order-1');
      await append(one, 'first');
      await server.stop();
      await server.save();
      await server.start();
      const lost = await publish();
      expect(await publish()).toEqual(lost);
      await comeBack();
      const again = await publish();
      expect(again.mark).not.toBe(lost.mark);
      expect(await resumed(one, lost)).toEqual({ missing: 'unknown', data: ['first', 'x'] });
    });
  });

  describe('as its streams were deleted and made anew', () => {
    let jsm: JetStreamManager;
    beforeEach(async () => {
      jsm = await jetstreamManager(await client());
    });

    /** Deletes the streams and makes them again, with all their options, so fast that nobody sees them missing. */
    const remade = async (): Promise<void> => {
      for (const name of ['sse-log', 'sse-heads']) {
        const { config } = await jsm.streams.info(name);
        await jsm.streams.delete(name);
        await jsm.streams.add(config);
      }
    };

    it.each([1, 2, 5, 40])(
      'loses nothing in silence for those who are connected, with %d events that come',
      async (count) => {
        const other = await instance();
        const listener = await follow(other);
        const before = await all(one, texts(5));
        await isAt(listener, before.at(-1)!);
        await remade();
        const after = await all(one, texts(count, 'new'));
        await eventually(() => listener.log.has(after.at(-1)!));
        expect(listener.told).toContain('replaced');
        for (const position of before) expect(listener.log.has(position)).toBe(false);
        for (const backplane of [one, other])
          expect(await resumed(backplane, before.at(-1)!)).toMatchObject({ missing: 'unknown' });
      },
    );

    it('does not believe a nothing yet of the streams before', async () => {
      const { head } = await one.read('a', SETTINGS, { limit: 1 });
      await append(one, 'missed');
      await remade();
      expect(await resumed(await instance(), head)).toMatchObject({ missing: 'unknown' });
      await append(await instance(), 'new');
      expect(await resumed(await instance(), head)).toMatchObject({ missing: 'unknown', data: ['new'] });
    });

    it('gives none of the streams before for a channel that is not there', async () => {
      await remade();
      const { head } = await one.read('a', SETTINGS, { limit: 1 });
      await append(one, 'new');
      expect(await resumed(one, head)).toEqual({ missing: undefined, data: ['new'] });
    });
  });

  describe('as the events of all channels together have their limits', () => {
    const small = { maxBytes: 100_000, publishTimeout: 200, quietAfter: 400 };
    let jsm: JetStreamManager;
    beforeEach(async () => {
      jsm = await jetstreamManager(await client());
    });

    const isQuiet = (channel: string, kind: string): Promise<void> =>
      eventually(async () => {
        const kept = await jsm.streams.getMessage('sse-heads', {
          last_by_subj: `sse-heads.channel.${channel}`,
        });
        return kept?.string().includes(`"${kind}"`) === true;
      });
    /** A neighbour publishes so much that nothing is left of what was there. */
    const burst = async (backplane: SseBackplane): Promise<void> => {
      const { state } = await jsm.streams.info('sse-log');
      while ((await jsm.streams.info('sse-log')).state.first_seq <= state.last_seq)
        await Promise.all(
          texts(20).map((text) => backplane.append('b', SETTINGS, stored(text.padEnd(1_000, '.')))),
        );
    };

    it('keeps the position of a quiet channel, whatever its neighbours do', async () => {
      const two = await instance(small);
      const positions = await Promise.all(texts(3).map((text) => append(two, text)));
      await isQuiet('a', 'quiet');
      await burst(two);
      for (const backplane of [two, await instance(small)]) {
        expect(await resumed(backplane, positions[2]!)).toEqual({ missing: undefined, data: [] });
        expect(await resumed(backplane, positions[1]!)).toEqual({ missing: 'evicted', data: [] });
      }
      await append(await instance(small), 'next');
      expect(await resumed(two, positions[2]!)).toEqual({ missing: undefined, data: ['next'] });
      expect(await resumed(two, positions[1]!)).toEqual({ missing: 'evicted', data: ['next'] });
    });

    it('does not say that nothing has come after a position when something has, and is gone', async () => {
      const two = await instance(small);
      const [position] = await Promise.all(texts(1).map((text) => append(two, text)));
      await isQuiet('a', 'quiet');
      await append(two, 'missed');
      await burst(two);
      expect((await resumed(await instance(small), position!)).missing).toBeDefined();
    });

    it('keeps a purge', async () => {
      const two = await instance(small);
      const positions = await Promise.all(texts(3).map((text) => append(two, text)));
      await two.purge('a');
      await isQuiet('a', 'quiet');
      await burst(two);
      const stranger = await instance(small);
      expect(await resumed(stranger, positions[2]!)).toEqual({ missing: undefined, data: [] });
      expect(await resumed(stranger, positions[0]!)).toEqual({ missing: 'evicted', data: [] });
    });

    it('keeps that a channel is completed, and where', async () => {
      const two = await instance(small);
      const positions = await Promise.all(texts(3).map((text) => append(two, text)));
      await two.complete('a', SETTINGS);
      await burst(two);
      const stranger = await instance(small);
      await expect(append(stranger)).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
      expect((await follow(stranger)).log).toMatchObject({ completed: true, size: 0, head: positions[2] });
      expect(await resumed(stranger, positions[1]!)).toEqual({ missing: 'evicted', data: [] });
    });

    it('does not believe a nothing yet when they may have let go of a log', async () => {
      const two = await instance(small);
      const { head } = await two.read('a', SETTINGS, { limit: 1 });
      await append(two, 'missed');
      await burst(two);
      expect((await resumed(two, head)).missing).toBeDefined();
    });

    it('gives a nothing yet that they will not let go of soon', async () => {
      const two = await instance(small);
      const stateOf = async () => (await jsm.streams.info('sse-log')).state;
      const publish = () =>
        Promise.all(texts(5).map((text) => two.append('b', SETTINGS, stored(text.padEnd(1_000, '.')))));
      const listener = await follow(two);
      const { last_seq } = await stateOf();
      while ((await stateOf()).bytes < small.maxBytes / 2) await publish();
      const { head } = await two.read('a', SETTINGS, { limit: 1 });
      // Who follows is told of another when the log is read again.
      await listener.locate({ ...head, offset: 1 });
      while ((await stateOf()).first_seq <= last_seq) await publish();
      for (const position of [head, listener.log.head])
        expect(await resumed(two, position)).toEqual({ missing: undefined, data: [] });
    });

    it('have nobody say that a channel is quiet while another publishes', async () => {
      const [publishTimeout, quietAfter] = [500, 1_000];
      const options = { publishTimeout, quietAfter };
      const [two, other] = [await instance(options), await instance(options)];
      await append(two);
      const kinds = new Set<string>();
      for (const began = performance.now(); performance.now() - began < 3 * quietAfter;) {
        await append(other);
        const record = await jsm.streams.getMessage('sse-heads', { last_by_subj: 'sse-heads.channel.a' });
        kinds.add(record!.json<{ kind: string }>().kind);
      }
      expect([...kinds]).toEqual(['active']);
    });

    it('tells nobody of a gap who was there', async () => {
      const [two, other] = [await instance(small), await instance(small)];
      const listener = await follow(other);
      for (const text of texts(3)) {
        await append(two, text);
        await burst(two);
      }
      await isAt(listener, await append(two, 'last'));
      expect(dataOf(listener)).toEqual([...texts(3), 'last']);
      expect(listener.told).not.toContain('replaced');
    });
  });

  describe('that is only read', () => {
    it('has its streams as they were after a thousand reads of names that nobody has used', async () => {
      const jsm = await jetstreamManager(await client());
      await append(one, 'x');
      const states = async () =>
        Promise.all(['sse-log', 'sse-heads'].map(async (name) => (await jsm.streams.info(name)).state));
      const before = await states();
      for (let n = 0; n < 1_000; n += 50) {
        await Promise.all(
          texts(50, `fresh/${n}/`).map(async (name) => {
            await one.read(name, SETTINGS, { limit: 10 });
            const listener = await new Listener(one, name, SETTINGS).ready;
            listener.stop();
          }),
        );
      }
      await eventually(async () => (await jsm.streams.info('sse-log')).state.consumer_count === 0);
      expect(await states()).toEqual(before);
    });
  });
});
