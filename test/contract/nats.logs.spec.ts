import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Position } from '../../src/sse/protocol/position.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import type { NatsServer } from '../support/nats-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { append, code, dataOf, follow, instancesOn, isAt, KEEP, kept, texts } from './nats.instances.js';

/** How the logs lie in the stream, and what instances see of each other there. */
describeWith('nats-server', 'the stream in NATS', (path) => {
  const { serve, instance, client } = instancesOn(path);
  let server: NatsServer;
  const manager = async (): Promise<JetStreamManager> => jetstreamManager(await client());

  beforeEach(async () => {
    server = await serve();
  });

  describe('of several instances', () => {
    it('gives the same ids everywhere, and shows each what the others publish', async () => {
      const instances = [await instance(), await instance(), await instance()];
      const listeners = await Promise.all(instances.map((one) => follow(one)));
      const appended = await Promise.all(texts(60).map((text, i) => append(instances[i % 3]!, text)));
      const offsets = appended.map(({ offset }) => offset).sort((a, b) => a - b);
      for (const listener of listeners) await isAt(listener, { ...appended[0]!, offset: offsets.at(-1)! });
      expect(listeners.map((listener) => listener.offsets)).toEqual([offsets, offsets, offsets]);
      expect(new Set(listeners.map((listener) => dataOf(listener).join())).size).toBe(1);
      expect(new Set([...appended, ...listeners.map(({ log }) => log)].map(({ epoch }) => epoch)).size).toBe(
        1,
      );
    });

    it('tells each of a purge and of the completion, whoever asked for them', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const first = await append(one);
      await one.purge('a');
      const second = await append(one);
      await one.complete('a', settingsOf());
      await eventually(() => listener.told.includes('completed'));
      expect(listener.told).toEqual([first.offset, 'emptying', second.offset, 'completed']);
      expect(listener.log).toMatchObject({ size: 1, floor: first.offset, head: second.offset });
      await expect(append(other)).rejects.toEqual(code('CHANNEL_COMPLETED'));
    });

    it('has nothing of what is published while another completes the channel, and says so', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(one);
      await append(other, 'first');
      const racing = Promise.allSettled(texts(200).map((text) => append(other, text)));
      await one.complete('a', settingsOf(KEEP));
      const outcomes = await racing;
      const stored = texts(200).filter((_, i) => outcomes[i]!.status === 'fulfilled');
      expect(dataOf(listener)).toEqual(['first', ...stored]);
      expect(await kept(other)).toEqual(['first', ...stored]);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toEqual(code('CHANNEL_COMPLETED'));
    });

    it('has a new epoch for a completed channel that comes again after its ttl', async () => {
      const [one, other] = [await instance(), await instance()];
      const before = await append(one, 'before');
      const ttl = 50;
      await one.complete('a', settingsOf({ ttl }));
      let after: Position | undefined;
      await eventually(async () => {
        after = await append(other, 'after').catch(() => undefined);
        return after !== undefined;
      });
      expect(after!.epoch).not.toBe(before.epoch);
      expect(await kept(one)).toEqual(['after']);
      expect(await append(one)).toMatchObject({ epoch: after!.epoch });
    });
  });

  describe('whose notices are lost', () => {
    it('shows each instance every event once and in order, however often its connection is lost', async () => {
      const connections = await Promise.all(
        texts(2).map(() => connect({ servers: server.address, reconnectTimeWait: 5, reconnectJitter: 5 })),
      );
      for (const connection of connections) whenTestEnds(() => connection.close());
      const instances = [
        await instance({ connection: connections[0]! }),
        await instance({ connection: connections[1]! }),
      ];
      const publisher = await instance();
      const listeners = await Promise.all(instances.map((backplane) => follow(backplane)));
      const positions: Position[] = [];
      for (let round = 0; round < 25; round++) {
        await connections[round % 2]!.reconnect();
        positions.push(...(await Promise.all(texts(20).map((text) => append(publisher, text)))));
      }
      for (const listener of listeners) await isAt(listener, positions.at(-1)!);
      const offsets = positions.map(({ offset }) => offset);
      expect(listeners.map((listener) => listener.offsets)).toEqual([offsets, offsets]);
      expect(listeners.flatMap(({ told }) => told.filter((what) => typeof what !== 'number'))).toEqual([]);
    });

    it('reads what is missing as soon as the next one comes', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const { config } = await jsm.streams.info('sse');
      const { republish, ...silent } = config;
      await append(one, 'told');
      await jsm.streams.update('sse', silent);
      await append(one, 'not told');
      await append(one, 'not told either');
      await jsm.streams.update('sse', { ...silent, ...(republish && { republish }) });
      const last = await append(one, 'told again');
      await isAt(listener, last);
      expect(dataOf(listener)).toEqual(['told', 'not told', 'not told either', 'told again']);
      expect(listener.told).not.toContain('emptying');
    });
  });

  describe('that somebody else writes to', () => {
    it('is read without that, live and afterwards', async () => {
      const stranger = await client();
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      await append(one, 'first');
      for (const text of ['', 'hello', '{"t":1}\n', '1 2\n{}', '1 2\nnull\n'])
        await stranger.request('sse.log.event.a', text);
      stranger.publish('sse.live.event.a', 'not even stored');
      stranger.publish('sse.live.record.%', 'nor this');
      await stranger.request('sse.log.record.a', 'nonsense');
      const last = await append(one, 'second');
      await isAt(listener, last);
      expect(dataOf(listener)).toEqual(['first', 'second']);
      expect(await kept(await instance())).toEqual(['first', 'second']);
    });
  });

  describe('that somebody deletes', () => {
    it('is made again, with new epochs', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const before = await append(one, 'before');
      await jsm.streams.delete('sse');
      await expect(append(one, 'lost')).rejects.toEqual(code('PUBLISH_REJECTED'));
      await eventually(() =>
        append(one, 'after').then(
          ({ epoch }) => epoch !== before.epoch,
          () => false,
        ),
      );
      await follow(other);
      await eventually(() => dataOf(listener).at(-1) === 'after');
    });
  });

  describe('and what it costs', () => {
    it('is read once for a thousand who follow a channel at once, and no consumer is left', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      await Promise.all(texts(50).map((text) => append(one, text)));
      const created: unknown[] = [];
      const watching = await client();
      watching.subscribe('$JS.EVENT.ADVISORY.CONSUMER.CREATED.sse.>', {
        callback: (_error, message) => void created.push(message),
      });
      await watching.flush();
      const listeners = await Promise.all(texts(1_000).map(() => follow(other)));
      expect(listeners.map((listener) => dataOf(listener).length)).toEqual(listeners.map(() => 50));
      await eventually(async () => (await jsm.streams.info('sse')).state.consumer_count === 0);
      expect(created).toHaveLength(1);
      expect(other.stats().channels).toBe(1);
      for (const listener of listeners) listener.stop();
      expect(other.stats().channels).toBe(0);
    });

    it('has about as much of a channel as its history, and says from where on', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      const first = await append(one, 'first', { history: { count: 10 } });
      for (let round = 0; round < 60; round++)
        await Promise.all(texts(50).map((text) => append(one, text, { history: { count: 10 } })));
      await eventually(async () => (await jsm.streams.info('sse')).state.messages <= 1_010);
      expect(await kept(one)).toEqual(texts(50).slice(-10));
      const { log, seen } = await follow(other);
      expect(log.size).toBeGreaterThanOrEqual(10);
      expect(log.floor).toBeGreaterThan(first.offset);
      expect(seen[0]!.previous).toBe(log.floor);
    });

    it('tells nobody of a gap who has seen all, because the limits of the stream have let go of it', async () => {
      const connection = await connect({ servers: server.address, reconnectTimeWait: 5 });
      whenTestEnds(() => connection.close());
      const maxBytes = 100_000;
      const [one, other] = [await instance({ maxBytes }), await instance({ connection, maxBytes })];
      const listener = await follow(other);
      const jsm = await manager();
      const pushOut = async ({ offset }: Position): Promise<void> => {
        while ((await jsm.streams.info('sse')).state.first_seq <= offset + 10)
          await Promise.all(texts(20).map((text) => other.append('b', settingsOf(), large(text))));
      };
      const first = await append(one, 'first');
      await pushOut(first);
      const second = await append(one, 'second');
      await isAt(listener, second);
      await pushOut(second);
      await connection.reconnect();
      await isAt(listener, await append(one, 'third'));
      expect(dataOf(listener)).toEqual(['first', 'second', 'third']);
      expect(listener.told).not.toContain('emptying');
      // Who comes now cannot know that there was nothing else.
      const { floor, entries } = (await one.read('a', { limit: 5 }))!;
      expect(floor).toBeGreaterThanOrEqual(second.offset);
      expect(entries.map(({ event }) => event.data)).toEqual(['third']);
    });
  });
});

const large = (text: string) => stored(text.padEnd(1_000, '.'));
