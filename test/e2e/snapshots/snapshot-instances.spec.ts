import { expect, it } from '@jest/globals';
import type { SnapshotOf, SseModuleOptions } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { describeOnEach, type MakeShared } from '../../support/shared-server.js';
import { untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { called, Held, short, start, Texts, textsOf, type Tell } from './snapshot-app.js';

const BOARD = 'board/a';

/** Two instances that read one state, as from a database. */
async function startTwo(
  shared: MakeShared,
  tell: Tell,
  options: SseModuleOptions = {},
): Promise<[one: SseApp, other: SseApp]> {
  const sse = { ...options, backplane: shared() };
  return [await start(tell, { sse }), await start(tell, { sse })];
}

describeOnEach('a snapshot of two instances', (shared) => {
  it('shows on the one what the other has published, and then what comes after it from both', async () => {
    const board = new Texts(BOARD);
    const [one, other] = await startTwo(shared, board.tell, { replay: 'all' });
    const id = await board.add(one.hub, '1', '2');
    const client = await listen(`${other.url}/events`);
    await board.add(one.hub, '3');
    await board.add(other.hub, '4');
    await board.add(one.hub, '5');
    const events = await client.take(4);
    expect(short(events)).toEqual(['snapshot:1,2', '3', '4', '5']);
    expect(events[0]!.id).toBe(id);
    expect(board.calls).toBe(1);
  });

  it('waits for what it includes to come here, where the state is faster', async () => {
    const board = new Texts(BOARD);
    const instances: SseApp[] = [];
    // Its answer is there with that of the server to the other instance.
    const tell: Tell = async (): Promise<SnapshotOf> => {
      await board.add(instances[0]!.hub, `${board.texts.length}`);
      return board.tell();
    };
    instances.push(...(await startTwo(shared, tell, { history: { count: 1_000 } })));
    const [one, other] = instances as [SseApp, SseApp];
    const watcher = await listen(`${other.url}/events`); // so the log is open there
    for (let joined = 1; joined <= 50; joined++) {
      const client = await listen(`${other.url}/events`);
      const last = await one.hub.publish(BOARD, { type: 'last', data: '' });
      const events = await client.until(({ id }) => id === last);
      expect(events.map(({ type }) => type)).toEqual(['snapshot', 'last']);
      expect(textsOf(events)).toHaveLength(joined + 1);
      client.close();
    }
    expect(textsOf(await watcher.until(({ text }) => text === '50'))).toEqual(board.texts);
  });

  it('and what both publish while it is made are all that there is, once each', async () => {
    const instances: SseApp[] = [];
    const kept = async ({ hub }: SseApp): Promise<SnapshotOf<unknown[]>> => {
      const { events, position } = await hub.history(BOARD);
      return { state: events.map(({ data }) => data), after: position };
    };
    const held = new Held(() => kept(instances[1]!));
    instances.push(...(await startTwo(shared, held.ask, { history: { count: 5_000 } })));
    const [one, other] = instances as [SseApp, SseApp];
    const publish = (from: string, count: number): Promise<unknown> =>
      Promise.all(
        instances.flatMap(({ hub }, i) =>
          Array.from({ length: count }, (_, n) => hub.publish(BOARD, { data: `${from} ${i} ${n}` })),
        ),
      );
    const clients: TestStream[] = [];
    for (const round of ['a', 'b', 'c', 'd', 'e']) {
      const opening = [other, one, other].map(({ url }) => listen(`${url}/events`));
      const publishing = publish(`${round} before`, 50);
      const calls = [await called(held), await called(held)];
      await untilConnections(one.hub, (clients.length + 3) / 3);
      await untilConnections(other.hub, ((clients.length + 3) / 3) * 2);
      const more = publish(`${round} meanwhile`, 50);
      for (const call of calls) call.answer();
      clients.push(...(await Promise.all(opening)));
      await Promise.all([publishing, more]);
    }
    const last = await one.hub.publish(BOARD, { data: 'last' });
    const { state } = await kept(other);
    expect(state).toHaveLength(5 * 200 + 1);
    for (const client of clients) {
      const events = await client.until(({ id }) => id === last);
      expect(textsOf(events)).toEqual(state);
      expect(events.filter(({ type }) => type !== 'message').map(({ type }) => type)).toEqual(['snapshot']);
    }
  });

  it('follows the gap of a client that the other instance has served, and that was away for too long', async () => {
    const board = new Texts(BOARD);
    const [one, other] = await startTwo(shared, board.tell, { history: { count: 2 } });
    const client = await listen(`${one.url}/events`);
    await board.add(one.hub, '1');
    await client.until(({ text }) => text === '1');
    client.close();
    await board.add(one.hub, '2', '3', '4');
    const again = await listen(`${other.url}/events`, { lastEventId: client.lastEventId });
    await board.add(one.hub, '5');
    expect(short(await again.take(3))).toEqual(['gap:evicted', 'snapshot:1,2,3,4', '5']);
  });

  it('follows the gap of a client whose log has ended, and its channel has begun anew', async () => {
    const board = new Texts(BOARD);
    const [one, other] = await startTwo(shared, board.tell, { ttl: 500 });
    const lastEventId = await board.add(one.hub, '1', '2');
    await endLog(one, board, '3');
    const client = await listen(`${other.url}/events`, { lastEventId });
    await board.add(one.hub, '4');
    expect(short(await client.take(3))).toEqual(['gap:unknown', 'snapshot:1,2,3', '4']);
  });
});

/** Completes the channel, and publishes the first text of its next log when its time is over. */
async function endLog({ hub }: SseApp, board: Texts, text: string): Promise<void> {
  await hub.complete(BOARD);
  await eventually(() =>
    board.add(hub, text).then(
      () => true,
      () => false,
    ),
  );
}

/** The state of a board whose newest event is of a log that is gone, and what follows on the other instance. */
async function afterOldState(shared: MakeShared): Promise<string[]> {
  const board = new Texts(BOARD);
  let id = '';
  const tell: Tell = () => ({ state: 'old', after: id });
  const [one, other] = await startTwo(shared, tell, { ttl: 500 });
  id = await board.add(one.hub, '1', '2');
  await endLog(one, board, '3');
  await board.add(one.hub, '4');
  const client = await listen(`${other.url}/events`);
  return short(await client.until(({ text }) => text === '4'));
}

describeOnEach('the state of a log that is gone', (shared) => {
  it('stands at the beginning of the next one', async () => {
    expect(await afterOldState(shared)).toEqual(['snapshot:old', '3', '4']);
  });
});
