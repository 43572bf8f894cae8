import { Controller, Inject, NotFoundException, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { filter, map, type Observable } from 'rxjs';
import { SseHub } from '../../../src/sse/index.js';
import { untilConnections, type SseApp, type SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { called, Held, short, start, Texts, type Tell } from './snapshot-app.js';

const BOARD = 'board/a';

@Controller()
class Boards {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @StockSse('events')
  events(): Observable<object> {
    return this.hub.stream(BOARD);
  }

  @StockSse('later')
  async later(): Promise<Observable<object>> {
    return this.hub.stream(BOARD);
  }

  @StockSse('piped')
  piped(): Observable<object> {
    return this.hub.stream(BOARD).pipe(map((event) => ({ ...event })));
  }

  @StockSse('nothing')
  nothing(): Observable<object> {
    return this.hub.stream(BOARD).pipe(filter(() => false));
  }
}

describe("a snapshot on a route with Nest's @Sse()", () => {
  const startStock = (tell: Tell, sse: SseAppOptions['sse'] = {}): Promise<SseApp> =>
    start(tell, { routes: {}, controllers: [Boards], sse });

  it.each(['events', 'later', 'piped'])(
    'comes first to a client of /%s without a position, then what follows, with ids to resume from',
    async (path) => {
      const board = new Texts(BOARD);
      const { hub, url } = await startStock(board.tell, { replay: 'all' });
      const id = await board.add(hub, '1', '2');
      const client = await listen(`${url}/${path}`);
      expect(await client.next()).toMatchObject({
        type: 'snapshot',
        id,
        text: '{"channel":"board/a","state":["1","2"]}',
      });
      const last = await board.add(hub, '3', '4');
      const events = await client.take(2);
      expect(short(events)).toEqual(['3', '4']);
      expect(events[1]!.id).toBe(last);
      client.close();
      await board.add(hub, '5');
      const resumed = await listen(`${url}/${path}`, { lastEventId: client.lastEventId });
      expect(short(await resumed.take(1))).toEqual(['5']);
      expect(board.calls).toBe(1);
    },
  );

  it.each(['events', 'later', 'piped'])(
    'is waited for by what is published meanwhile, to /%s',
    async (path) => {
      const board = new Texts(BOARD);
      const held = new Held(board.tell);
      const { hub, url } = await startStock(held.ask);
      await board.add(hub, '1', '2');
      const opening = listen(`${url}/${path}`);
      const call = await called(held);
      await board.add(hub, '3', '4');
      const client = await opening; // Nest has sent the head meanwhile
      call.answer();
      await board.add(hub, '5');
      expect(short(await client.take(4))).toEqual(['snapshot:1,2', '3', '4', '5']);
    },
  );

  it('follows the gap of a client that was away for too long', async () => {
    const board = new Texts(BOARD);
    const { hub, url } = await startStock(board.tell, { history: { count: 2 } });
    const lastEventId = await board.add(hub, '1');
    await board.add(hub, '2', '3', '4');
    const client = await listen(`${url}/events`, { lastEventId });
    await board.add(hub, '5');
    expect(short(await client.take(3))).toEqual(['gap:evicted', 'snapshot:1,2,3,4', '5']);
  });

  it('passes by the operators', async () => {
    const board = new Texts(BOARD);
    const { hub, url } = await startStock(board.tell);
    const id = await board.add(hub, '1');
    const client = await listen(`${url}/nothing`);
    expect(await client.next()).toMatchObject({ type: 'snapshot', id });
  });

  it('that fails when Nest has sent the head is an error event and the end', async () => {
    const held = new Held(() => ({ state: 1 }));
    const { hub, url } = await startStock(held.ask);
    const opening = listen(`${url}/events`);
    const call = await called(held);
    const client = await opening;
    call.fail(new NotFoundException('no such board'));
    expect([client.status, short(await client.rest())]).toEqual([200, ['error:no such board']]);
    await untilConnections(hub, 0);
    expect(hub.stats().subscribers).toBe(0);
  });

  it('that fails at once is an HTTP error', async () => {
    const { hub, url } = await startStock(() => {
      throw new NotFoundException('no such board');
    });
    const client = await answerTo(`${url}/events`);
    expect([client.status, client.body]).toEqual([
      404,
      expect.objectContaining({ message: 'no such board' }),
    ]);
    await untilConnections(hub, 0);
  });
});
