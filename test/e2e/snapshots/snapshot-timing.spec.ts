import { describe, expect, it } from '@jest/globals';
import { channelHash, formatId } from '../../../src/sse/protocol/position.js';
import { eventually } from '../../support/eventually.js';
import { untilConnections } from '../../support/sse-app.js';
import type { SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { called, Held, LosesLog, short, start, Texts, type Tell } from './snapshot-app.js';

describe('While a snapshot is made', () => {
  it.each(['events', 'piped', 'both'])(
    'nothing that is published is lost, nor sent twice, to /%s',
    async (path) => {
      const board = new Texts('board/a');
      const held = new Held(board.tell);
      const { hub, url } = await start(held.ask);
      await board.add(hub, '1', '2');
      const opening = listen(`${url}/${path}`);
      const call = await called(held);
      await board.add(hub, '3', '4');
      call.answer();
      const client = await opening;
      await board.add(hub, '5');
      expect(short(await client.take(4))).toEqual(['snapshot:1,2', '3', '4', '5']);
    },
  );

  it('without `after` nothing is lost, and what the state has already may come again', async () => {
    const board = new Texts('board/a');
    const held = new Held(() => ({ state: [] }));
    const tell: Tell = async (request) => {
      await held.ask(request);
      return { state: [...board.texts] };
    };
    const { hub, url } = await start(tell);
    const before = await board.add(hub, '1', '2');
    const opening = listen(`${url}/events`);
    const call = await called(held);
    const id = await board.add(hub, '3');
    call.answer();
    const client = await opening;
    const events = await client.take(2);
    expect(short(events)).toEqual(['snapshot:1,2,3', '3']);
    expect(events.map((event) => event.id)).toEqual([before, id]);
  });

  it('all who need it wait for that one, also those who come later', async () => {
    const board = new Texts('board/a');
    const held = new Held(board.tell);
    const { hub, url } = await start(held.ask);
    await board.add(hub, '1');
    const opening = Array.from({ length: 25 }, () => listen(`${url}/events`));
    const call = await called(held);
    await board.add(hub, '2');
    const later = Array.from({ length: 25 }, () => listen(`${url}/events`));
    await untilConnections(hub, 50);
    call.answer();
    for (const client of await Promise.all([...opening, ...later]))
      expect(short(await client.take(2))).toEqual(['snapshot:1', '2']);
    expect(held.count).toBe(1);
  });

  it('it is made again if the log has moved past it, and then fits', async () => {
    const board = new Texts('board/a');
    const held = new Held(board.tell);
    const { hub, url } = await start(held.ask, { sse: { history: { count: 2 } } });
    await board.add(hub, '1');
    const opening = listen(`${url}/events`);
    const call = await called(held);
    await board.add(hub, '2', '3', '4');
    call.answer();
    (await called(held)).answer();
    await board.add(hub, '5');
    expect(short(await (await opening).take(2))).toEqual(['snapshot:1,2,3,4', '5']);
    expect(held.count).toBe(2);
  });

  it('it is made three times at most: then the client is told that it lags, and gets what there is', async () => {
    const board = new Texts('board/a');
    const held = new Held(board.tell);
    const { hub, url } = await start(held.ask, { sse: { history: { count: 2 } } });
    await board.add(hub, '1');
    const opening = listen(`${url}/events`);
    let floor = '';
    for (const [oldest, ...texts] of ['234', '567', '89X']) {
      const call = await called(held);
      floor = await board.add(hub, oldest!);
      await board.add(hub, ...texts);
      call.answer();
    }
    const events = await (await opening).take(4);
    expect(short(events)).toEqual(['gap:lagged', 'snapshot:1,2,3,4,5,6,7', '9', 'X']);
    expect(held.count).toBe(3);
    // Who is cut off before the snapshot comes back for it.
    expect(events.map(({ id }) => id).slice(0, 2)).toEqual([undefined, floor]);
  });

  it('the other channels of an open stream go on, and their ids leave that channel out', async () => {
    const logs = new LosesLog('board/a');
    const held: Held = new Held(() => ({ state: held.count }));
    const { hub, url } = await start(held.ask, { sse: { backplane: logs.backplane } });
    const opening = listen(`${url}/both`);
    (await called(held)).answer();
    const client = await opening;
    await client.take(1);
    logs.lose();
    const call = await called(held);
    const news = await hub.publish('news', { data: 'news 1' });
    const events = await client.take(2);
    expect(short(events)).toEqual(['gap:unknown', 'news 1']);
    expect(events[1]!.id).toBe(`news=${news}`);
    // Who is cut off now comes back without a position in the channel, and gets its snapshot.
    client.drop();
    call.answer();
    const news2 = await hub.publish('news', { data: 'news 2' });
    const resuming = listen(`${url}/both`, { lastEventId: client.lastEventId });
    (await called(held)).answer();
    const resumed = await (await resuming).take(2);
    expect(short(resumed).sort()).toEqual(['news 2', 'snapshot:3']);
    const begin = formatId(logs.begin, channelHash('board/a'));
    expect(resumed.at(-1)!.id).toBe(`board%2Fa=${begin}&news=${news2}`);
  });

  it('a log that is lost once more is no second gap', async () => {
    const logs = new LosesLog('board/a');
    const held: Held = new Held(() => ({ state: held.count }));
    const { hub, url } = await start(held.ask, { sse: { backplane: logs.backplane } });
    const opening = listen(`${url}/events`);
    (await called(held)).answer();
    const client = await opening;
    await client.take(1);
    logs.lose();
    const call = await called(held);
    logs.lose();
    await hub.publish('board/a', { data: 'in the state' });
    call.answer();
    // What the first log of the two had is no place in the second.
    (await called(held)).answer();
    await hub.publish('board/a', { data: 'live' });
    expect(short(await client.take(3))).toEqual(['gap:unknown', 'snapshot:3', 'live']);
  });

  it('what is left of its clients is nothing when they leave', async () => {
    const held = new Held(() => ({ state: 1 }));
    const { hub, url, server } = await start(held.ask);
    const opening = listen(`${url}/events`);
    opening.catch(() => undefined);
    const call = await called(held);
    server.closeAllConnections();
    await untilConnections(hub, 0);
    expect(hub.stats().subscribers).toBe(0);
    call.answer();
    const again = listen(`${url}/events`);
    (await called(held)).answer();
    expect(short(await (await again).take(1))).toEqual(['snapshot:1']);
  });
});

describe('An `after` of a log that is gone', () => {
  it('stands for the beginning of the one that came after it, without a gap', async () => {
    const board = new Texts('board/a');
    const { hub, url } = await start(board.tell, { sse: { ttl: 20 } });
    await board.add(hub, '1', '2');
    await eventually(() => hub.stats().channels === 0);
    const first = await listen(`${url}/events`);
    await hub.publish('board/a', { data: '3' });
    const second = await listen(`${url}/events`);
    for (const client of [first, second]) expect(short(await client.take(2))).toEqual(['snapshot:1,2', '3']);
  });
});

describe('An `after` that is not in the log', () => {
  it.each<[string, string, (ids: readonly string[]) => unknown]>([
    ['that is not kept any more', 'evicted', ([first]) => first],
    ['of another log, if the beginning of this one is not kept', 'unknown', () => '4.zzzzzzzzzzzz'],
    ['beyond it', 'unknown', ([first]) => first!.replace(/^1/, '900')],
    ['of version 0.1', 'unreadable', () => 'zzzz-4'],
    ['of no form', 'unreadable', () => 'yesterday'],
    ['of several channels', 'unreadable', (ids) => `board%2Fa=${ids[3]}`],
    ['that is a number', 'unreadable', () => 4],
    ['that is null', 'unreadable', () => null],
    ['that is empty', 'unreadable', () => ''],
  ])(
    '%s is told as a gap of reason %s; the log follows, and a warning names the method',
    async (_, reason, of) => {
      const log = new LogRecorder();
      const ids: string[] = [];
      const tell: Tell = () => ({ state: 'old', after: of(ids) as string });
      const configure: SseAppOptions['configure'] = (app) => app.useLogger(log);
      const { hub, url } = await start(tell, { configure, sse: { history: { count: 3 } } });
      for (const data of ['1', '2', '3', '4', '5']) ids.push(await hub.publish('board/a', { data }));
      const client = await listen(`${url}/events`);
      const events = await client.take(5);
      expect(short(events)).toEqual([`gap:${reason}`, 'snapshot:old', '3', '4', '5']);
      expect(events.map(({ id }) => id).slice(0, 2)).toEqual([undefined, ids[1]]);
      expect((await log.until(/not in its log/)).text).toContain('Board.tell()');
    },
  );
});
