import { expect, it } from '@jest/globals';
import { Wire } from '../e2e/http/wire.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { startNginx } from '../support/nginx.js';
import { startHaproxy } from '../support/proxies.js';
import { RedisServer } from '../support/redis-server.js';
import { Crowd } from './crowd.js';
import { Fleet, type Instance } from './fleet.js';
import { Load } from './load.js';
import { CHANNEL, KEEP_ALL } from './settings.js';
import { post, stream, Visits, type Visit } from './visits.js';

/** Streams that stay. */
const CLIENTS = 20;
/** Events in a second. */
const RATE = 50;
/** New clients in a second. */
const VISITS = 20;
/** Milliseconds that the drain takes, because of a client that does not read. */
const GRACE = 2_000;

/** A client of an instance that has more to read than fits on the way to it, and does not. */
async function stall(instance: Instance): Promise<void> {
  const client = await Wire.connect(instance.url);
  client.get('/events?channels=bulk');
  await client.until('sse-position');
  client.stall();
  for (let i = 0; i < 16; i++) await instance.publish('bulk', 'x'.repeat(1_000_000));
}

interface Balanced {
  readonly balancer: (upstreams: readonly number[]) => Promise<string>;
  /** Milliseconds. */
  readonly notice: number;
  readonly posts: boolean;
}

describeWith('redis-server', 'one of two instances that is stopped under load', (redis) => {
  /** @returns what new clients met before, meanwhile and afterwards; everybody else has lost nothing */
  async function stopped({ balancer, notice, posts }: Balanced): Promise<Visit[]> {
    const server = await RedisServer.start(redis);
    whenTestEnds(() => server.dispose());
    const sse = { ...KEEP_ALL, shutdown: { notice, grace: GRACE, spread: 500 } };
    const fleet = await Fleet.start({ count: 2, backplane: 'redis', url: server.url, sse });
    const [leaving, staying] = fleet.instances as [Instance, Instance];
    const address = await balancer(fleet.instances.map(({ port }) => port));
    const url = `${address}/events?channels=${CHANNEL}`;
    const crowd = new Crowd();
    await crowd.join(url, CLIENTS);
    expect((await leaving.stats()).connections).toBeGreaterThan(0);
    await stall(leaving);
    const load = new Load(fleet, { channel: CHANNEL, rate: RATE, retries: true });
    const kinds = [() => stream(url), ...(posts ? [() => post(`${address}/notes`)] : [])];
    const visits = new Visits(kinds, VISITS);
    const more = async (): Promise<void> => {
      const before = visits.outcomes.length;
      await eventually(() => visits.outcomes.length >= before + VISITS);
    };

    await more();
    await leaving.end('SIGTERM');
    await more();
    await Promise.all([visits.stop(), load.stop()]);

    await crowd.all('has a stream', ({ isListening }) => isListening);
    const ids = (await staying.history(CHANNEL)).map(({ id }) => id);
    await crowd.haveSeen(ids.at(-1)!);
    expect(ids).toHaveLength(load.count);
    for (const watcher of crowd.watchers) expect([watcher.ids, watcher.gaps]).toEqual([ids, []]);
    return visits.outcomes;
  }

  describeWith('haproxy', 'behind HAProxy, which asks for its health', (haproxy) => {
    it('refuses nobody and turns nobody away, as nobody is sent to it any more when its streams end', async () => {
      const balancer = (ports: readonly number[]) => startHaproxy(haproxy, ports);
      const outcomes = await stopped({ balancer, notice: 6_000, posts: true });
      expect(new Set(outcomes)).toEqual(new Set(['served']));
    });
  });

  describeWith('nginx', 'behind nginx, which asks nobody', (nginx) => {
    it('refuses nobody, and turns those away who are sent to it while its streams end', async () => {
      const balancer = (ports: readonly number[]) => startNginx(nginx, ports);
      const outcomes = await stopped({ balancer, notice: 0, posts: false });
      expect(new Set(outcomes)).toEqual(new Set(['served', 'turned away']));
    });
  });
});
