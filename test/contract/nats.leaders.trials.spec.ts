import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { SseError } from '../../src/sse/sse.errors.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { dataOf as dataOfEntries } from '../../src/sse/testing/contracts/channel-under-test.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { NatsServer } from '../support/nats-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { dataOf } from './nats.instances.js';

const SETTINGS = settingsOf({ history: { count: 1_000_000, bytes: 1_000_000_000 } });

const yesOrNo = [() => true, () => false] as const;

/** Three servers that keep the streams together, of which any may be lost. */
describeWith('nats-server', 'several instances on three NATS servers', (path) => {
  const servers = new Map<string, NatsServer>();
  let addresses: string[];

  // Of each connection that is lost there is a warning.
  beforeAll(async () => {
    Logger.overrideLogger(false);
    const names = ['one', 'two', 'three'];
    const ports = await Promise.all(names.map(() => freePort()));
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join();
    const started = names.map(async (name, i) => {
      const listen = `nats://127.0.0.1:${ports[i]}`;
      const args = ['--name', name, '--cluster_name', 'c', '--cluster', listen, '--routes', routes];
      servers.set(name, await NatsServer.start(path, { args }));
    });
    await Promise.all(started);
    addresses = [...servers.values()].map(({ address }) => address);
  });
  afterAll(async () => {
    Logger.overrideLogger(true);
    await Promise.all([...servers.values()].map((server) => server.dispose()));
  });

  async function instance(): Promise<SseBackplane> {
    const open = natsBackplane({
      connection: { servers: addresses, reconnectTimeWait: 20 },
      replicas: 3,
      // What was asked of a leader that is gone is asked again, and does not wait for its time to be over.
      publishTimeout: 110_000,
    });
    let made: SseBackplane | undefined;
    await eventually(async () => {
      made = await Promise.resolve(open(moduleSettings().limits)).then(
        ({ backplane }) => backplane,
        () => undefined,
      );
      return made !== undefined;
    });
    whenTestEnds(() => made!.close());
    return made!;
  }

  const manager = async (): Promise<JetStreamManager> => {
    const connection = await connect({ servers: addresses, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
    whenTestEnds(() => connection.close());
    return jetstreamManager(connection, { checkAPI: false });
  };

  const isWhole = (jsm: JetStreamManager, name: string): Promise<boolean> =>
    jsm.streams
      .info(name)
      .then(({ cluster }) => cluster?.replicas?.length === 2 && cluster.replicas.every((one) => one.current))
      .catch(() => false);

  // An election takes NATS four to nine seconds, and there are three.
  it('lose nothing, and see no gap, while the leaders are killed one after the other', async () => {
    const [one, other] = [await instance(), await instance()];
    const jsm = await manager();
    const listener = await new Listener(other, 'a', SETTINGS).ready;
    const given: Position[] = [await one.append('a', SETTINGS, stored('first'))];
    const refusals: string[] = [];
    /** The acknowledged events that the stream itself does not have: then it is the server that has lost them. */
    const lostByServer = async (): Promise<Position[]> => {
      const lost: Position[] = [];
      for (const position of given) {
        const stored = await jsm.streams.getMessage('sse-log', { seq: position.offset });
        if (!stored?.string().includes(position.mark)) lost.push(position);
      }
      return lost;
    };
    const kept = async (): Promise<unknown[]> =>
      dataOfEntries((await other.read('a', SETTINGS, { limit: Infinity })).entries);
    let isOver = false;
    const publish = async (data: string): Promise<void> => {
      const publishId = randomUUID();
      for (;;) {
        const outcome = await one
          .append('a', SETTINGS, stored(data), publishId)
          .catch((error: unknown) => error as SseError);
        if (!(outcome instanceof SseError)) return void given.push(outcome);
        if (outcome.code !== 'PUBLISH_UNCERTAIN') return void refusals.push(outcome.message);
      }
    };
    const publishing = (async () => {
      for (let n = 0; !isOver; n++) {
        await Promise.all([publish(`${n} a`), publish(`${n} b`)]);
        await turn();
      }
    })();
    for (let round = 0; round < 3; round++) {
      let leader: string | undefined;
      await eventually(async () => {
        leader = await jsm.streams.info('sse-log').then(
          ({ cluster }) => cluster?.leader,
          () => undefined,
        );
        return leader !== undefined && (await isWhole(jsm, 'sse-log')) && (await isWhole(jsm, 'sse-heads'));
      });
      const server = servers.get(leader!)!;
      await server.stop('SIGKILL');
      const before = given.length;

      await eventually(() => given.length > before + 10);
      await server.start();
    }
    isOver = true;
    await publishing;
    expect(refusals).toEqual([]);
    const last = given.reduce((a, b) => (a.offset > b.offset ? a : b));
    await eventually(() => listener.log.has(last));
    expect(await lostByServer()).toEqual([]);
    expect(listener.told).not.toContain('replaced');
    expect(new Set(dataOf(listener)).size).toBe(dataOf(listener).length);
    expect(dataOf(listener)).toHaveLength(given.length);
    await eventually(() => kept().then(...yesOrNo));
    expect(dataOf(listener)).toEqual(await kept());
    const stranger = await instance();
    for (const position of given.filter((_, i) => i % 50 === 0)) {
      const { missing, entries } = await stranger.read('a', SETTINGS, {
        after: position,
        limit: Infinity,
      });
      expect(missing).toBeUndefined();
      expect(dataOfEntries(entries)).toEqual(
        listener.seen.filter(({ offset }) => offset > position.offset).map(({ event }) => event.data),
      );
    }
  });
});
