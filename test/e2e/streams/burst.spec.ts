import { describe, expect, it } from '@jest/globals';
import { concatMap, map, take, Subject } from 'rxjs';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const routes: Record<string, Route> = {
  direct: (hub) => hub.stream('news'),
  piped: (hub) => hub.stream('news').pipe(map((event) => event)),
  both: (hub) => hub.stream(['news', 'sport']),
};

const slow = ['gap', 'disconnect'] as const;
const paths = Object.keys(routes);

describe.each(slow)('a client that keeps up, with slow: %s', (policy) => {
  it.each(paths.flatMap((path) => [[path, 400_000, 700_000] as const, [path, 10, 1_048_000] as const]))(
    'of /%s gets two events of %i and %i bytes of one turn, which the history has no room for',
    async (path, one, other) => {
      const { hub, url } = await startSseApp({ routes, sse: { slow: policy } });
      const client = await listen(`${url}/${path}`);
      const sizes = [one, other];
      await Promise.all(sizes.map((size) => hub.publish('news', { data: 'x'.repeat(size) })));
      const events = await client.take(2);
      expect(events.map(({ type, text }) => [type, text.length])).toEqual(
        sizes.map((size) => ['message', size]),
      );
    },
  );

  it.each(paths)(
    'of /%s loses nothing where a burst on other channels needs the room of its own',
    async (path) => {
      const sse: SseModuleOptions = { slow: policy, limits: { historyBytes: 2_000_000 } };
      const { hub, url } = await startSseApp({ routes, sse });
      const client = await listen(`${url}/${path}`);
      const others = [1, 2, 3].map((n) => hub.publish(`other/${n}`, { data: 'x'.repeat(800_000) }));
      await Promise.all([hub.publish('news', { data: 'important' }), ...others]);
      await hub.publish('news', { data: 'next' });
      expect((await client.take(2)).map(({ text }) => text)).toEqual(['important', 'next']);
    },
  );

  it.each(paths)('of /%s loses nothing of a purge in the turn of the publishing', async (path) => {
    const { hub, url } = await startSseApp({ routes, sse: { slow: policy } });
    const client = await listen(`${url}/${path}`);
    await Promise.all([
      hub.publish('news', { data: 'a' }),
      hub.publish('news', { data: 'b' }),
      hub.purge('news'),
    ]);
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['a', 'b']);
  });
});

it('tells of a gap from where the client is, where its operator holds events', async () => {
  const gate = new Subject<void>();
  const held: Route = (hub) =>
    hub.stream('news').pipe(
      concatMap((event) =>
        gate.pipe(
          take(1),
          map(() => event),
        ),
      ),
    );
  const { hub, url } = await startSseApp({ routes: { held }, sse: { history: { count: 3 } } });
  const client = await listen(`${url}/held`, { reconnect: 0 });
  const [had] = [await hub.publish('news', { data: 'had' })];
  await eventually(() => gate.observed);
  gate.next();
  await client.next();
  await hub.publish('news', { data: 'held' });
  await eventually(() => gate.observed);
  client.drop();
  for (let i = 1; i <= 9; i++) await hub.publish('news', { data: String(i) });
  const gap = (await client.next()).data as Record<string, unknown>;
  expect(gap).toMatchObject({ reason: 'evicted', requested: had });
});

it('does not take a client past a gap that it was not told of, with what an operator held', async () => {
  const answers: ((data: unknown) => void)[] = [];
  const asked: Route = (hub) =>
    hub.stream('news').pipe(map((event) => new Promise((resolve) => answers.push(() => resolve(event)))));
  const { hub, url } = await startSseApp({
    routes: { ...routes, asked },
    sse: { history: { count: 2 } },
  });
  const client = await listen(`${url}/asked`);
  const other = await listen(`${url}/direct`);
  const ids = [await hub.publish('news', { data: '0' })];
  await eventually(() => answers.length === 1);
  for (let i = 1; i <= 5; i++) ids.push(await hub.publish('news', { data: String(i) }));
  // The log has moved past the client, as all have had their turn.
  await other.take(6);
  answers[0]!(undefined);
  expect(await client.next()).toMatchObject({ text: '0', id: ids[0] });
  expect((await client.next()).data).toMatchObject({ reason: 'lagged', requested: ids[0] });
});

it('offers an event to a client whose turn is full already, with what another channel has', async () => {
  const { hub, url } = await startSseApp({ routes, sse: { history: { bytes: 100_000 } } });
  const client = await listen(`${url}/both`);
  const publish = (channel: string, size: number) => hub.publish(channel, { data: 'x'.repeat(size) });
  await Promise.all([
    publish('sport', 90_000),
    publish('sport', 90_000),
    publish('news', 90_000),
    publish('news', 90_000),
    publish('news', 90_000),
  ]);
  expect((await client.take(5)).map(({ type }) => type)).toEqual(Array(5).fill('message'));
});
