import { setImmediate as turn } from 'node:timers/promises';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { encodeMessage } from '../../src/sse/backplanes/nats/layout.js';
import { encodeEvent } from '../../src/sse/backplanes/common/event-text.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import { newMark } from '../../src/sse/backplanes/common/mark.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import type { NatsServer } from '../support/nats-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { append, code, dataOf, follow, instancesOn, isAt, KEEP, kept, texts } from './nats.instances.js';

/** How the logs lie in the stream, and what instances see of each other there. */
describeWith('nats-server', 'the stream in NATS', (path) => {
  const { serve, instance, client } = instancesOn(path);
  let server: NatsServer;
  const manager = async (): Promise<JetStreamManager> => jetstreamManager(await client());

  beforeEach(async () => {
    server = await serve();
  });

  /** Completes the channel, and publishes to the log that begins when it is forgotten. */
  const succeeded = async (one: SseBackplane): Promise<void> => {
    await one.complete('a', settingsOf({ ttl: 50 }));
    const after = (): Promise<boolean> =>
      append(one, 'after').then(
        () => true,
        () => false,
      );
    await eventually(after);
  };

  describe('of several instances', () => {
    it('gives the same ids everywhere, and shows each what the others publish', async () => {
      const instances = [await instance(), await instance(), await instance()];
      const listeners = await Promise.all(instances.map((one) => follow(one)));
      const appended = await Promise.all(texts(60).map((text, i) => append(instances[i % 3]!, text)));
      const offsets = appended.map(({ offset }) => offset).sort((a, b) => a - b);
      const last = appended.find(({ offset }) => offset === offsets.at(-1))!;
      for (const listener of listeners) await isAt(listener, last);
      expect(listeners.map((listener) => listener.offsets)).toEqual([offsets, offsets, offsets]);
      expect(new Set(listeners.map((listener) => dataOf(listener).join())).size).toBe(1);
      for (const position of appended)
        expect(listeners.map(({ log }) => log.has(position))).toEqual([true, true, true]);
    });

    it('tells each of a purge and of the completion, whoever asked for them', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const first = await append(one);
      await one.purge('a');
      const second = await append(one);
      await one.complete('a', settingsOf());
      await eventually(() => listener.told.includes('completed'));
      expect(listener.told).toEqual([first.offset, second.offset, 'completed']);
      expect(listener.log).toMatchObject({ size: 1, floor: first, head: second });
      await expect(append(other)).rejects.toEqual(code('CHANNEL_COMPLETED'));
    });

    it('has nothing of what is published while another completes the channel, and says so', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(one);
      await append(other, 'first');
      let isCompleted = false;
      const completing = one.complete('a', settingsOf(KEEP)).then(() => (isCompleted = true));
      const racing: Promise<string | undefined>[] = [];
      for (let n = 0; !isCompleted; n++) {
        racing.push(
          append(other, `${n}`).then(
            () => `${n}`,
            (error: unknown) => {
              expect(error).toEqual(code('CHANNEL_COMPLETED'));
              return undefined;
            },
          ),
        );
        await turn();
      }
      await completing;
      const stored = (await Promise.all(racing)).filter((text) => text !== undefined);
      expect(dataOf(listener)).toEqual(['first', ...stored]);
      expect(await kept(other)).toEqual(['first', ...stored]);
    });

    it('does not have what came after the completion all the same', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      await append(one, 'first');
      await one.complete('a', settingsOf(KEEP));
      const late = {
        kind: 'event',
        mark: newMark(),
        at: Date.now(),
        after: undefined,
        known: undefined,
        text: encodeEvent(stored('late')),
      } as const;
      await (await client()).request('sse-log.event.a', encodeMessage(late));
      await one.purge('b');
      await eventually(() => listener.log.completed);
      expect([await kept(one), dataOf(listener), dataOf(await follow(await instance()))]).toEqual(
        texts(3).map(() => ['first']),
      );
    });

    it('shows everything to those who come while others publish, also if nothing follows', async () => {
      const [one, other] = [await instance(), await instance()];
      for (let round = 0; round < 30; round++) {
        const appending = texts(5).map((text) => one.append(`a/${round}`, settingsOf(), stored(text)));
        const listener = await new Listener(other, `a/${round}`, settingsOf()).ready;
        const offsets = (await Promise.all(appending)).map(({ offset }) => offset);
        await eventually(() => listener.offsets.length >= 5);
        expect(listener.offsets).toEqual(offsets);
      }
    });

    it('has a log of its own for a completed channel that comes again after its ttl', async () => {
      const [one, other] = [await instance(), await instance()];
      const before = await append(one, 'before');
      await one.complete('a', settingsOf({ ttl: 50 }));
      let after: Position | undefined;
      await eventually(async () => {
        after = await append(other, 'after').catch(() => undefined);
        return after !== undefined;
      });
      expect(await kept(one)).toEqual(['after']);
      const last = await append(one, 'last');
      expect((await follow(one)).log.missing(before)).toBe('unknown');
      expect((await follow(other)).log.has(after!)).toBe(true);
      expect((await follow(one)).log.head).toEqual(last);
    });

    it('has nothing in that log of the one before, also where what is left of that could not be deleted', async () => {
      const connection = await client();
      const undeleting = withOwn(connection, {
        request: async (subject, ...rest) => {
          if (subject.startsWith('$JS.API.STREAM.PURGE.')) throw new Error('not now');
          return connection.request(subject, ...rest);
        },
      });
      const [one, other] = [await instance({ connection: undeleting }), await instance()];
      const before = await append(one, 'before');
      await succeeded(one);
      expect([await kept(other), dataOf(await follow(other))]).toEqual([['after'], ['after']]);
      expect((await follow(other)).log.missing(before)).toBe('unknown');
    });

    it('is there also where the newest message is of the one before, and came too late', async () => {
      const one = await instance();
      await append(one, 'before');
      await succeeded(one);
      const late = encodeMessage({
        ...{ kind: 'event', mark: newMark(), at: Date.now(), after: undefined, known: undefined },
        text: encodeEvent(stored('late')),
      });
      await (await client()).request('sse-log.event.a', late);
      const other = await instance();
      expect([await kept(other), dataOf(await follow(other))]).toEqual([['after'], ['after']]);
      await append(other, 'last');
      expect(await kept(one)).toEqual(['after', 'last']);
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
      let isLossy = false;
      const connection = lossy(await client(), (subject) => isLossy && subject === 'sse-live.event.a');
      const [one, other] = [await instance(), await instance({ connection })];
      const listener = await follow(other);
      for (let round = 0; round < 10; round++) {
        await append(one, `told ${round}`);
        isLossy = true;
        await append(one, `not told ${round}`);
        await append(one, `not told either ${round}`);
        // What has come by now to one that asks on the same connection has come before.
        await connection.flush();
        isLossy = false;
      }
      await isAt(listener, await append(one, 'told again'));
      expect(dataOf(listener)).toEqual(await kept(one));
      expect(dataOf(listener)).toHaveLength(31);
      expect(listener.told).not.toContain('replaced');
    });
  });

  describe('whose leader is another', () => {
    it.each([1, 2])(
      'has it prove that it knows all before it says that there is no such event, %d times',
      async (proofs) => {
        const older: Older = { proofs: 0 };
        let isLossy = false;
        const isLost = (subject: string): boolean => isLossy && subject === 'sse-live.event.a';
        const connection = behind(lossy(await client(), isLost), older);
        const [one, other] = [await instance(), await instance({ connection })];
        const first = await append(one, 'first');
        const listener = await follow(other);
        isLossy = true;
        const second = await append(one, 'second');
        await connection.flush();
        Object.assign(older, { seq: first.offset, proofs });
        expect(await listener.locate(second)).toEqual(second);
        expect([dataOf(listener), listener.told]).toEqual([['first', 'second'], [second.offset]]);
      },
    );

    it('says at once of what the one before has not answered that nobody will', async () => {
      let isLossy = false;
      const connection = lossy(await client(), (subject) => isLossy && subject.startsWith('_INBOX.'));
      const [one, other] = [await instance({ connection, publishTimeout: 60_000 }), await instance()];
      await append(one, 'before');
      isLossy = true;
      const call = expect(append(one, 'during')).rejects.toEqual(code('PUBLISH_UNCERTAIN'));
      await eventually(async () => (await kept(other)).length === 2);
      await connection.flush();
      isLossy = false;
      (await client()).publish('$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.sse-log');
      await call;
      await append(one, 'after');
      expect(await kept(one)).toEqual(['before', 'during', 'after']);
    });

    it('is asked again at once what the one before has not answered', async () => {
      const connection = await client();
      let asked = 0;
      let isSilent = false;
      const silent = withOwn(connection, {
        request: (...request) => {
          if (!isSilent) return connection.request(...request);
          asked++;
          return new Promise(() => undefined);
        },
      });
      const one = await instance({ connection: silent, publishTimeout: 60_000 });
      await append(one, 'x');
      isSilent = true;
      const reading = kept(one);
      await eventually(() => asked > 0);
      isSilent = false;
      (await client()).publish('$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.sse-log');
      expect(await reading).toEqual(['x']);
    });

    it('is sent again what nobody took, unless something was stored that was published later', async () => {
      const connection = await client();
      let isUnheard = false;
      const unheard = withOwn(connection, {
        publish: (subject, ...rest) => {
          const isTaken = !isUnheard || subject !== 'sse-log.event.a';
          if (!isTaken) isUnheard = false;
          connection.publish(isTaken ? subject : 'nowhere', ...rest);
        },
      });
      const one = await instance({ connection: unheard });
      await append(one, '0');
      isUnheard = true;
      await append(one, '1');
      isUnheard = true;
      const outcomes = [append(one, 'first'), append(one, '2')];
      await expect(outcomes[0]).rejects.toEqual(code('PUBLISH_REJECTED'));
      await outcomes[1];
      expect(await kept(one)).toEqual(texts(3));
    });
  });

  describe('whose servers do not all have the same', () => {
    it('is read whole where the one that has the consumer lacks the oldest, or does not know the newest', async () => {
      const lack = { from: 0, newest: 0 };
      const connection = lacking(await client(), lack);
      const [one, other] = [await instance(), await instance({ connection })];
      const [, second] = [await append(one, '0'), await append(one, '1'), await append(one, '2')];
      lack.from = second.offset;
      expect(await kept(other)).toEqual(texts(3));
      lack.from = 0;
      for (const newest of [1, 3]) {
        lack.newest = newest;
        expect(await kept(other)).toEqual(texts(3));
      }
    });
  });

  describe('that somebody else writes to', () => {
    it('is read without that, live and afterwards', async () => {
      const stranger = await client();
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      await append(one, 'first');
      for (const text of ['', 'hello', '{"t":1}\n', '1 2\n{}', '1 2\nnull\n'])
        await stranger.request('sse-log.event.a', text);
      stranger.publish('sse-live.event.a', 'not even stored');
      stranger.publish('sse-live.end.%', 'nor this');
      await stranger.request('sse-log.end.a', 'nonsense');
      await stranger.request('sse-heads.channel.a', 'nonsense');
      const last = await append(one, 'second');
      await isAt(listener, last);
      expect(dataOf(listener)).toEqual(['first', 'second']);
      expect(await kept(await instance())).toEqual(['first', 'second']);
    });
  });

  describe('that somebody deletes', () => {
    it('is made again, and no event is taken for one that was there before', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const before = await append(one, 'before');
      await jsm.streams.delete('sse-log');
      const after = await append(one, 'after');
      expect(after.mark).not.toBe(before.mark);
      await isAt(listener, after);
      expect(listener.log.missing(before)).toBe('unknown');
      expect(listener.log.has(after)).toBe(true);
      expect(await kept(other)).toEqual(['after']);
    });
  });

  describe('and what it costs', () => {
    it('is read once for a thousand who follow a channel at once, and no consumer is left', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      await Promise.all(texts(50).map((text) => append(one, text)));
      const created: unknown[] = [];
      const watching = await client();
      watching.subscribe('$JS.EVENT.ADVISORY.CONSUMER.CREATED.sse-log.>', {
        callback: (_error, message) => void created.push(message),
      });
      await watching.flush();
      const listeners = await Promise.all(texts(1_000).map(() => follow(other)));
      expect(listeners.map((listener) => dataOf(listener).length)).toEqual(listeners.map(() => 50));
      const before = performance.now();
      await eventually(async () => (await jsm.streams.info('sse-log')).state.consumer_count === 0);
      // At once, not when the server finds that nobody reads from it.
      expect(performance.now() - before).toBeLessThan(4_000);
      expect(created).toHaveLength(1);
      expect(other.stats().channels).toBe(1);
      for (const listener of listeners) listener.stop();
      expect(other.stats().channels).toBe(0);
    });

    it('has about as much of a channel as its history, and says from where on', async () => {
      const jsm = await manager();
      const [one, other] = [await instance(), await instance()];
      // The stream goes on to begin here.
      await one.append('b', settingsOf(), stored('old'));
      const first = await append(one, 'first', { history: { count: 10 } });
      for (let round = 0; round < 60; round++)
        await Promise.all(texts(50).map((text) => append(one, text, { history: { count: 10 } })));
      await eventually(async () => (await jsm.streams.info('sse-log')).state.messages <= 1_020);
      const read = await one.read('a', settingsOf({ history: { count: 10 } }), { limit: Infinity });
      expect(read.entries.map(({ event }) => event.data)).toEqual(texts(50).slice(-10));
      const { log, seen } = await follow(other);
      expect(log.size).toBeGreaterThanOrEqual(10);
      expect(log.missing(first)).toBe('evicted');
      expect(seen[0]!.previous).toEqual(log.floor);
    });
  });
});

/** A connection on which some messages do not arrive. */
function lossy(connection: NatsConnection, isLost: (subject: string) => boolean): NatsConnection {
  return withOwn(connection, {
    subscribe: (subject, options) =>
      connection.subscribe(subject, {
        ...options,
        callback: (error, message) => {
          if (error || !isLost(message.subject)) void options?.callback?.(error, message);
        },
      }),
  });
}

interface Older {
  seq?: number;
  /** How often it is asked to know all until it does, as each time another leader is elected. */
  proofs: number;
}

/** A connection whose server takes an older event for the newest of the channel `a`. */
function behind(connection: NatsConnection, older: Older): NatsConnection {
  return withOwn(connection, {
    request: (subject, payload, options) => {
      const isAsked =
        subject === '$JS.API.STREAM.MSG.GET.sse-log' &&
        Buffer.from(payload ?? '').toString() === '{"last_by_subj":"sse-log.event.a"}';
      const seq = isAsked ? older.seq : undefined;
      return connection.request(subject, seq === undefined ? payload : JSON.stringify({ seq }), options);
    },
    publish: (...published) => {
      if (published[0] === 'sse-log.barrier' && --older.proofs === 0) delete older.seq;
      connection.publish(...published);
    },
  });
}

/**
 * A connection to a server whose consumers begin from a sequence on only, and the next of which has so many of the
 * newest messages less.
 */
function lacking(connection: NatsConnection, lack: { from: number; newest: number }): NatsConnection {
  return withOwn(connection, {
    request: async (subject, payload, options) => {
      if (!subject.startsWith('$JS.API.CONSUMER.CREATE.'))
        return connection.request(subject, payload, options);
      const asked = JSON.parse(Buffer.from(payload ?? '').toString()) as {
        config: { opt_start_seq: number };
      };
      asked.config.opt_start_seq = Math.max(asked.config.opt_start_seq, lack.from);
      const answer = await connection.request(subject, JSON.stringify(asked), options);
      const made = answer.json<{ num_pending: number }>();
      made.num_pending -= lack.newest;
      lack.newest = 0;
      return { ...answer, data: Buffer.from(JSON.stringify(made)) };
    },
  });
}

/** A connection with some methods of the test's own. */
function withOwn(connection: NatsConnection, own: Partial<NatsConnection>): NatsConnection {
  return new Proxy(connection, {
    get(target, key) {
      if (key in own) return own[key as keyof NatsConnection];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
