import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { LEASE_TIME } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { listen } from '../../support/open-stream.js';
import { NatsServer } from '../../support/nats-server.js';
import { runNginx } from '../../support/nginx.js';
import { startDemo } from '../../support/process.js';
import { RedisServer } from '../../support/redis-server.js';
import { get, post } from './booted-app.js';

type Demo = Awaited<ReturnType<typeof startDemo>>;

/** What the instances have in common, and what is said to each of them about it. */
interface Common {
  readonly env: NodeJS.ProcessEnv;
  dispose(): Promise<void>;
}

const PASSWORD = 'open sesame';
const LOBBY = '/chat/rooms/lobby/messages';
/** Milliseconds for a machine that is busy with other things. */
const LITTLE = 1_500;

const dataOf = (events: TestEvent[]) => events.map(({ data }) => data);

/** Tests on two instances. Each has both of them running; one that a test has ended is started anew for the next. */
function describeInstances(common: () => Common, nginx: string): void {
  let ports: [number, number];
  let one: Demo;
  let other: Demo;
  let proxy: Awaited<ReturnType<typeof runNginx>>;
  /** The address of nginx. */
  let front: string;
  /** The demos that have not ended. */
  const running = new Set<Demo>();

  const startOn = async (port: number): Promise<Demo> => {
    const demo = await startDemo({
      PORT: String(port),
      CHAT_PASSWORD: PASSWORD,
      ...common().env,
    });
    running.add(demo);
    void demo.ended.then(() => running.delete(demo));
    return demo;
  };
  const start = async (): Promise<void> => {
    const runningOr = (demo: Demo | undefined, port: number): Demo | Promise<Demo> =>
      demo && running.has(demo) ? demo : startOn(port);
    [one, other] = await Promise.all([runningOr(one, ports[0]), runningOr(other, ports[1])]);
  };

  beforeAll(async () => {
    ports = [await freePort(), await freePort()];
    proxy = await runNginx(nginx, ports);
    front = proxy.url;
  });

  afterAll(() => Promise.all([...[...running].map((demo) => demo.stop('SIGKILL')), proxy.stop()]));

  beforeEach(start);

  it('are one chat: what is posted to one is seen through the other, and history is one', async () => {
    const readers = await Promise.all([one, other].map(({ url }) => listen(url + LOBBY)));
    const messages = [];
    for (const url of [one.url, other.url, front, front]) {
      const { status, body } = await post(url + LOBBY, { from: 'Mira', text: `to ${url}` });
      expect(status).toBe(201);
      messages.push(body);
    }
    const [seen, seenByOther] = await Promise.all(readers.map((reader) => reader.take(4)));
    expect(dataOf(seen!)).toEqual(messages);
    expect(seenByOther).toEqual(seen);
    for (const url of [one.url, other.url, front])
      expect(await (await listen(url + LOBBY)).take(4)).toEqual(seen);

    const resumed = await listen(other.url + LOBBY, { lastEventId: seen![1]!.id! });
    expect(await resumed.take(2)).toEqual(seen!.slice(2));
  });

  it('have one list of who is in a room, and one password for the room that has one', async () => {
    const room = '/chat/rooms/cellar';
    const [mira, jonas] = await Promise.all([
      listen(`${one.url}${room}/messages?name=Mira`),
      listen(`${other.url}${room}/messages?name=Jonas`),
    ]);
    const isThere = async (...names: string[]): Promise<void> => {
      for (const url of [one.url, other.url, front]) {
        await eventually(async () => {
          const { body } = await get(`${url}${room}/people`);
          const users = (body as { user: string }[]).map(({ user }) => user).sort();
          return JSON.stringify(users) === JSON.stringify(names);
        });
      }
    };
    await isThere('Jonas', 'Mira');
    jonas.close();
    const left = (await mira.until('leave')).at(-1);
    expect(left!.data).toEqual({ user: 'Jonas' });
    await isThere('Mira');

    const { headers } = await fetch(`${one.url}/chat/rooms/staff/key`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ password: PASSWORD }),
    });
    const cookie = headers.get('set-cookie')!.split(';')[0]!;
    const staff = `${other.url}/chat/rooms/staff/messages`;
    expect(await listen(staff, { headers: { cookie } })).toMatchObject({ status: 200 });
    await expect(listen(staff)).rejects.toMatchObject({ status: 403 });
  });

  it('count the clients of all', async () => {
    const path = '/broadcast/events';
    const readers = [await listen(one.url + path), await listen(one.url + path), await listen(front + path)];
    readers.push(await listen(other.url + path));
    for (const url of [one.url, other.url, front]) {
      const { body } = await get(`${url}/broadcast/clients`);
      expect(body).toMatchObject({ count: 4 });
    }
    expect(await post(`${front}/broadcast/events`, { type: 'news', data: 'x' })).toMatchObject({
      status: 202,
      body: { clients: 4 },
    });
    readers[0]!.close();
    await eventually(async () => {
      const { body } = await get(`${other.url}/broadcast/clients`);
      return (body as { count: number }).count === 3;
    });
  });

  it('tick once for all', async () => {
    const path = '/ticker/quotes?symbols=ONYX';
    const readers = await Promise.all([one, other].map(({ url }) => listen(url + path)));
    const [seen, seenByOther] = await Promise.all(readers.map((reader) => reader.take(8)));
    // Who came later begins with what there was, so both have the same.
    expect(seenByOther).toEqual(seen);
    const times = dataOf(seen!).map(({ at }) => Date.parse(at));
    const pauses = times.slice(1).map((time, i) => time - times[i]!);
    // A quarter of a second; from two instances they would come in between.
    expect(pauses.every((pause) => pause > 125)).toBe(true);
  });

  it('come back to clients that nginx has told to wait, and to nobody who posts', async () => {
    await post(front + LOBBY, { from: 'Mira', text: 'before' });
    const source = new EventSource(front + LOBBY);
    whenTestEnds(() => source.close());
    const texts: string[] = [];
    source.addEventListener('message', ({ data }) => texts.push(JSON.parse(data).text));
    await eventually(() => texts.at(-1) === 'before');

    await Promise.all([one.stop(), other.stop()]);
    const answer = await fetch(front + LOBBY, { headers: { Accept: 'text/event-stream' } });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    expect({ status: answer.status, body: await answer.text() }).toEqual({
      status: 200,
      body: 'retry: 3000\n\n',
    });
    const refused = await fetch(front + LOBBY, { method: 'POST' });
    expect(refused.status).toBe(502);

    texts.length = 0;
    await start();
    await post(other.url + LOBBY, { from: 'Mira', text: 'after' });
    await eventually(() => texts.length > 0);
    expect(texts).toEqual(['after']);
    expect(source.readyState).toBe(EventSource.OPEN);
  });

  it('go on ticking when the one that ticks is killed', async () => {
    const path = '/ticker/events';
    // The first instance is the first to ask, so it leads.
    const leading = await listen(one.url + path);
    const first = await leading.take(1);
    const reader = await listen(other.url + path);
    expect(await reader.take(1)).toEqual(first);
    await reader.take(1);

    const killed = one.stop('SIGKILL');
    const killedAt = performance.now();
    await killed;
    const after = await reader.take(2);
    // The lease, then the interval of two seconds, twice.
    expect(performance.now() - killedAt).toBeLessThan(LEASE_TIME + 4_000 + LITTLE);
    const { num } = dataOf(first)[0] as { num: number };
    expect(dataOf(after).map((data) => data.num)).toEqual([num + 2, num + 3]);
  });
}

const servers = {
  'redis-server': async (path: string): Promise<Common> => {
    const server = await RedisServer.start(path);
    const env = { SSE_BACKPLANE: 'redis', REDIS_URL: server.url };
    return { env, dispose: () => server.dispose() };
  },
  'nats-server': async (path: string): Promise<Common> => {
    const server = await NatsServer.start(path);
    const env = { SSE_BACKPLANE: 'nats', NATS_URL: `nats://${server.address}` };
    return { env, dispose: () => server.dispose() };
  },
};

describe.each(['redis-server', 'nats-server'] as const)('with a %s', (name) => {
  describeWith(name, 'and two instances', (path) => {
    let common: Common;

    beforeAll(async () => {
      common = await servers[name](path);
    });

    afterAll(() => common.dispose());

    describeWith('nginx', 'behind nginx', (nginx) => describeInstances(() => common, nginx));
  });
});
