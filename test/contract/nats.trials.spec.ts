import { jetstreamManager } from '@nats-io/jetstream';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { natsBackplane, type NatsBackplaneOptions } from '../../src/sse/backplanes/nats/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import type { NatsServer } from '../support/nats-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { append, code, dataOf, follow, instancesOn, isAt, isRefused, kept, texts } from './nats.instances.js';

const yesOrNo = [() => true, () => false] as const;

/** What a NATS server may do to the instances that use it. */
describeWith('nats-server', 'several instances on one NATS server', (path) => {
  const { serve, instance, client } = instancesOn(path);
  let server: NatsServer;

  beforeEach(async () => {
    server = await serve();
  });

  describe('that is stopped and comes back', () => {
    it('goes on where it was when it has all it had', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const before = await Promise.all(texts(20, 'before').map((text) => append(one, text)));
      await server.stop('SIGKILL');
      const during = Promise.all(texts(20, 'during').map((text) => append(one, text)));
      await server.start();
      const after = await append(other, 'after');
      const last = (await during).at(-1)!;
      await isAt(listener, last.offset > after.offset ? last : after);
      expect(listener.told).not.toContain('replaced');
      for (const position of [...before, ...(await during), after])
        expect(listener.log.has(position)).toBe(true);
      expect(dataOf(listener)).toEqual(await kept(one));
      expect([...dataOf(listener)].sort()).toEqual(
        [...texts(20, 'before'), ...texts(20, 'during'), 'after'].sort(),
      );
    });
  });

  describe('that is frozen', () => {
    it('has stored in the end what was said to be stored', async () => {
      const [one, other] = [await instance({ publishTimeout: 400 }), await instance()];
      const listener = await follow(other);
      const outcomes = new Map<string, PromiseSettledResult<Position>>();
      const publish = async (text: string): Promise<void> => {
        const [outcome] = await Promise.allSettled([append(one, text)]);
        outcomes.set(text, outcome);
      };
      await Promise.all(texts(50, 'before').map(publish));
      const racing = texts(50, 'racing').map(publish);
      await server.freeze();
      const late = texts(50, 'late').map(publish);
      await Promise.all([...racing, ...late]);
      server.thaw();
      await publish('after');
      const there = await kept(other);
      for (const [text, outcome] of outcomes) {
        if (outcome.status === 'fulfilled') expect(there).toContain(text);
        else expect(outcome.reason).toEqual(code('PUBLISH_UNCERTAIN'));
      }
      expect(new Set(there).size).toBe(there.length);
      for (const text of texts(50, 'late')) expect(outcomes.get(text)!.status).toBe('rejected');
      await eventually(() => dataOf(listener).at(-1) === 'after');
      expect(dataOf(listener)).toEqual(there);
    });

    it('answers a second attempt with the same publishId as it was', async () => {
      const [hasty, one] = [await instance({ publishTimeout: 200 }), await instance()];
      await eventually(() => append(hasty, 'before').then(...yesOrNo));
      const attempt = (by: SseBackplane) => by.append('a', settingsOf(), stored('x'), 'order-1');
      await server.freeze();
      await expect(attempt(hasty)).rejects.toEqual(code('PUBLISH_UNCERTAIN'));
      server.thaw();
      const position = await attempt(one);
      expect(await attempt(one)).toEqual(position);
      expect(await kept(one)).toEqual(['before', 'x']);
    });

    it('says as soon as the connection is lost that nobody will answer', async () => {
      const one = await instance({ publishTimeout: 60_000 });
      await append(one, 'before');
      await server.freeze();
      const call = append(one, 'during');
      await Promise.all([expect(call).rejects.toEqual(code('PUBLISH_UNCERTAIN')), server.stop('SIGKILL')]);
    });
  });

  describe('that is away', () => {
    it('lets calls wait for as long as they may, and stores nothing of those', async () => {
      const one = await instance({ publishTimeout: 150 });
      await append(one, 'before');
      await server.stop();
      await eventually(() => isRefused(one));
      await expect(append(one)).rejects.toEqual(code('PUBLISH_REJECTED'));
      await expect(follow(one)).rejects.toEqual(code('BACKPLANE_AWAY'));
      await expect(one.read('a', settingsOf(), { limit: 1 })).rejects.toEqual(code('BACKPLANE_AWAY'));
      await expect(one.complete('a', settingsOf())).rejects.toEqual(code('BACKPLANE_AWAY'));
      expect(one.stats().channels).toBe(0);
      await server.start();
      await eventually(() => append(one, 'after').then(...yesOrNo));
      expect((await kept(one)).filter((text) => text !== 'after')).toEqual(['before']);
    });

    it('makes calls fail at once where that was chosen', async () => {
      const one = await instance({ publishTimeout: 60_000, whileAway: 'fail' });
      await server.stop();
      await eventually(() => isRefused(one));
      await expect(follow(one)).rejects.toEqual(code('BACKPLANE_AWAY'));
    });

    it('refuses more calls than may wait', async () => {
      const one = await instance({ maxPending: 3 });
      await server.stop();
      const waiting = Promise.allSettled([append(one), append(one), append(one)]);
      await expect(append(one)).rejects.toEqual(code('PUBLISH_REJECTED'));
      await server.start();
      await waiting;
      await append(one);
    });

    it('does not keep the application from closing', async () => {
      const one = await instance();
      await follow(one);
      await server.freeze();
      const call = append(one);
      await Promise.all([expect(call).rejects.toEqual(code('HUB_CLOSED')), one.close()]);
    });
  });

  describe('at the start', () => {
    const refusal = async (options: NatsBackplaneOptions): Promise<string> => {
      const [outcome] = await Promise.allSettled([
        Promise.resolve(natsBackplane(options)(moduleSettings().limits)),
      ]);
      expect(outcome).toMatchObject({ status: 'rejected', reason: code('BACKPLANE_FAILED') });
      const { message } = (outcome as PromiseRejectedResult).reason as Error;
      expect(message).not.toContain('\n');
      return message;
    };

    it('fails with one line that says where nobody answers', async () => {
      await server.stop();
      expect(await refusal({ connection: { servers: server.address } })).toMatch(
        new RegExp(`^NATS cannot be reached at 127\\.0\\.0\\.1:${server.port} \\(.*\\)\\. Check`),
      );
      expect(await refusal({ connection: { servers: 'nats://me:secret@no-such-host.invalid' } })).toMatch(
        /^NATS cannot be reached at nats:\/\/no-such-host\.invalid \(/,
      );
    });

    it('fails with one line that says that the credentials are wrong', async () => {
      server = await serve({ args: ['--user', 'me', '--pass', 'secret'] });
      for (const wrong of [{}, { user: 'me', pass: 'wrong' }])
        expect(await refusal({ connection: { servers: server.address, ...wrong } })).toMatch(
          /refuses the credentials/,
        );
      await instance({ connection: { servers: server.address, user: 'me', pass: 'secret' } });
    });

    it('fails with one line that says that there is no JetStream, or not enough of it', async () => {
      expect(await refusal({ connection: { servers: server.address }, maxBytes: 2 ** 52 })).toMatch(
        /^NATS does not keep the stream "sse-log" as it is configured \(insufficient storage/,
      );
      server = await serve({ jetstream: false });
      expect(await refusal({ connection: { servers: server.address } })).toMatch(
        /has no JetStream\. Start it with -js/,
      );
    });

    it('leaves no subscription on a connection that it was given when it fails', async () => {
      const connection = await client();
      const { protocol } = connection as unknown as {
        protocol: { subscriptions: { subs: Map<number, unknown> } };
      };
      const { streams } = await jetstreamManager(connection);
      await streams.add({ name: 'foreign', subjects: ['sse-cluster.lease.*'] });
      await refusal({ connection });
      const before = protocol.subscriptions.subs.size;
      expect(await refusal({ connection })).toMatch(/^The other instances cannot be joined/);
      expect(protocol.subscriptions.subs.size).toBe(before);
    });

    it('fails on an option that is not there, or is wrong', () => {
      for (const options of [{ url: 'x' }, { replicas: 6 }, { maxAge: 1_000 }, { storage: 'disk' }])
        expect(() => natsBackplane(options as NatsBackplaneOptions)).toThrow(code('INVALID_OPTIONS'));
    });
  });
});
