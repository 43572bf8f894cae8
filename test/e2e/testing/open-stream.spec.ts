import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Body, Controller, RequestMethod } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { of, type Observable } from 'rxjs';
import { Sse, SseHub, SseModule } from '../../../src/index.js';
import { openStream, StreamRefused, streamMatchers } from '../../../src/sse/testing/index.js';
import { adapters, makeAdapter } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { controllerOf, startSseApp, untilConnections } from '../../support/sse-app.js';
import { big, ServerSockets } from '../http/stalled.js';

expect.extend(streamMatchers);

const routes = {
  news: (hub: SseHub): Observable<unknown> => hub.stream('news'),
  both: (hub: SseHub): Observable<unknown> => hub.stream(['news', 'typing']),
};
const start = () => startSseApp({ routes });

/** A server that writes bytes as they are. @returns its address */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  whenTestEnds(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const STREAM = { 'content-type': 'text/event-stream' };

describe('openStream()', () => {
  it.each(adapters)('lets an application of a testing module listen by itself, on %s', async (adapter) => {
    const module = await Test.createTestingModule({
      imports: [SseModule.forRoot()],
      controllers: [controllerOf(routes)],
    }).compile();
    const app = module.createNestApplication(await makeAdapter(adapter), { logger: false });
    whenTestEnds(() => app.close());
    const [one, other] = await Promise.all([openStream(app, '/news'), openStream(app, '/news')]);
    const later = await openStream(app, '/news');
    const id = await app.get(SseHub).publish('news', { type: 'said', data: { text: 'hi' } });
    const event = { type: 'said', data: { text: 'hi' }, text: '{"text":"hi"}', id };
    for (const stream of [one, other, later]) {
      expect(await stream.next()).toEqual(event);
      expect(stream.lastEventId).toBe(id);
    }
    expect(one.status).toBe(200);
    expect(one.headers['content-type']).toBe('text/event-stream');
    expect([one.comments, one.retry, one.events]).toEqual([['heartbeat 15000'], 2_000, [event]]);
  });

  it('sends a body, and the headers and the method that it is given', async () => {
    @Controller()
    class Questions {
      @Sse('ask', { method: RequestMethod.POST })
      ask(@Body() body: unknown): Observable<unknown> {
        return of({ data: body });
      }
    }
    const { app } = await startSseApp({ controllers: [Questions] });
    const stream = await openStream(app, '/ask', { body: { question: 'why?' } });
    expect(await stream.next()).toMatchObject({ data: { question: 'why?' } });

    const url = await serve(({ method, url, headers }, response) =>
      response
        .writeHead(200, STREAM)
        .end(`data: ${method ?? ''} ${url ?? ''} ${String(headers['x-token'])}\n\n`),
    );
    const put = await openStream(`${url}/`, '/path', { method: 'PUT', headers: { 'X-Token': 'mine' } });
    expect(await put.next()).toMatchObject({ data: 'PUT /path mine' });
  });

  it('rejects with the status and the body of an answer that is no stream', async () => {
    const { app } = await start();
    const refused = await openStream(app, '/nowhere').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StreamRefused);
    expect(refused).toMatchObject({ status: 404, body: { message: 'Cannot GET /nowhere' } });
    expect((refused as Error).message).toMatch(/^GET http:.*\/nowhere was answered 404, without a stream: {/);
  });

  it('rejects when no answer comes in time', async () => {
    const url = await serve(() => undefined);
    await expect(openStream(url, '', { timeout: 20 })).rejects.toThrow(
      /^GET .* was not answered within 20 ms\.$/,
    );
  });

  it('reads what is cut anywhere, and keeps comments apart', async () => {
    const text =
      '\uFEFF: first\r\n:\r\nid: ü\r\ndata: {"a":\r\ndata: 1}\r\n\r\nevent: x\rdata\r\rid: 2\n\nretry: 7\n\ndata: cut';
    const url = await serve((_, response) => {
      response.writeHead(200, STREAM).flushHeaders();
      const write = async (): Promise<void> => {
        for (const byte of Buffer.from(text)) {
          response.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
        response.end();
      };
      void write();
    });
    const stream = await openStream(url);
    expect(await stream.rest()).toEqual([
      { type: 'message', data: { a: 1 }, text: '{"a":\n1}', id: 'ü' },
      { type: 'x', data: '', text: '', id: undefined },
    ]);
    expect(stream).toMatchObject({ comments: ['first', ''], retry: 7, lastEventId: '2', state: 'ended' });
  });
});

describe('a stream of openStream()', () => {
  it('gives events in their order: the next, some, all up to one, and in a loop', async () => {
    const { app, hub } = await start();
    await using stream = await openStream(app, '/news');
    for (const data of [1, 2, 3, 4, 5, 6]) await hub.publish('news', { data });
    await hub.publish('news', { type: 'last', data: 7 });
    const dataOf = (events: readonly { data: unknown }[]) => events.map(({ data }) => data);
    expect((await stream.next()).data).toBe(1);
    expect(dataOf(await stream.take(2))).toEqual([2, 3]);
    expect(dataOf(await stream.until(({ data }) => data === 4))).toEqual([4]);
    for await (const { data } of stream) {
      expect(data).toBe(5);
      break;
    }
    expect(dataOf(await stream.until('last'))).toEqual([6, 7]);
    expect(dataOf(stream.events)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('shows what has come where it waits in vain', async () => {
    const { app, hub } = await start();
    const stream = await openStream(app, '/news', { timeout: 100 });
    await hub.publish('news', { type: 'said', data: { text: 'x'.repeat(1_000) } });
    const error = await stream.until('done').then(String, (reason: unknown) => reason as Error);
    if (!(error instanceof Error)) throw new Error('It has not failed.');
    expect(error.message).toMatch(
      /^Waited 100 ms for an event "done"\. GET http:\S+\/news was answered 200 and is open\. 1 have come:\n {2}said {"text":"x{111}… \(1011 characters\)\nComments: "heartbeat 15000"$/,
    );
    // The line of the test is in its stack.
    expect(error.stack).toContain('open-stream.spec');
    await expect(stream.next()).rejects.toThrow('Waited 100 ms for an event.');
    await expect(stream.take(2)).rejects.toThrow('Waited 100 ms for 2 events.');
    await expect(stream.rest()).rejects.toThrow('Waited 100 ms for the end.');
    await expect(stream.ended()).rejects.toThrow('Waited 100 ms for the end.');
    await expect(stream.nextComment()).resolves.toBe('heartbeat 15000');
    await expect(stream.nextComment()).rejects.toThrow('Waited 100 ms for a comment.');
    stream.drop();
    await expect(stream.next()).rejects.toThrow(/^It was over before an event came\. .* is dropped\./);
  });

  it.each(['rst', 'fin'] as const)('is dropped by %s, and has after that what it has missed', async (how) => {
    const { app, hub, server } = await startSseApp({ routes });
    const errors: unknown[] = [];
    server.on('connection', (socket) =>
      socket.on('error', ({ code }: { code?: string }) => errors.push(code)),
    );
    const stream = await openStream(app, '/news');
    await hub.publish('news', { data: 'before' });
    await stream.next();
    stream.drop(how);
    expect(await stream.ended()).toBe('dropped');
    await untilConnections(hub, 0);
    expect(errors).toEqual(how === 'rst' ? ['ECONNRESET'] : []);
    await hub.publish('news', { data: 'missed' });
    await stream.resume();
    expect((await stream.next()).data).toBe('missed');
    expect(stream.state).toBe('open');
  });

  it('tells an end from a connection that breaks', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, STREAM).write('data: x\n\n');
      if (request.url === '/end') response.end();
      else setImmediate(() => request.socket.destroy());
    });
    const [ended, broken] = await Promise.all([openStream(url, '/end'), openStream(url, '/break')]);
    expect([await ended.ended(), await broken.ended()]).toEqual(['ended', 'broken']);
    expect(await broken.rest()).toHaveLength(1);
  });

  it('stays away after a 204, and has completed then', async () => {
    const { app, hub, server } = await start();
    const stream = await openStream(app, '/news');
    await hub.publish('news', { data: 'the last' });
    await hub.complete('news');
    await expect(stream).toReceive('message', 'the last');
    await expect(stream).toHaveCompleted();
    expect(stream.state).toBe('refused');
    const requests: unknown[] = [];
    server.on('request', ({ url }) => requests.push(url));
    await expect(stream.resume()).rejects.toMatchObject({ status: 204, body: '' });
    expect(requests).toEqual([]);
  });

  it('refuses to resume where it is open or closed, and to drop what is over', async () => {
    const { app, hub } = await start();
    const stream = await openStream(app, '/news');
    await expect(stream.resume()).rejects.toThrow('Call drop(), or await ended(), before resume()');
    stream.close();
    await untilConnections(hub, 0);
    await expect(stream.resume()).rejects.toThrow('Use drop() in place of close()');
    expect(() => stream.drop()).toThrow('A stream that is closed cannot be dropped.');
  });

  it('does not read while it is paused, so that the server is held back', async () => {
    const app = await start();
    const sockets = new ServerSockets(app);
    const stream = await openStream(app.app, '/news');
    stream.pause();
    const [socket] = sockets.open;
    let count = 0;
    while (!socket!.writableNeedDrain) {
      await app.hub.publish('news', big(++count));
      await new Promise(setImmediate);
    }
    const { length } = stream.events;
    expect(length).toBeLessThan(count);
    stream.read();
    expect(await stream.take(count)).toHaveLength(count);
  });
});

describe('a stream that is watched closely', () => {
  it('tells when its first position has come, of each answer, and when a certain one has', async () => {
    const { app, hub } = await start();
    const stream = await openStream(app, '/news');
    const first = await stream.untilId();
    expect(first).toMatch(/^0\./);
    stream.drop();
    const id = await hub.publish('news', { data: 'missed' });
    await stream.resume();
    expect(await stream.untilId(id)).toBe(id);
    expect(await stream.untilId((one) => one.startsWith('1.'))).toBe(id);
    expect((await stream.next()).data).toBe('missed');
  });

  it('fails where it is over before an id comes', async () => {
    const url = await serve((_, response) => response.writeHead(200, STREAM).end('data: x\n\n'));
    const stream = await openStream(url);
    await expect(stream.untilId()).rejects.toThrow('It was over before a last event ID that fits came.');
  });

  it('has all text as it was sent, and waits for one comment among others', async () => {
    const text = ': one\n\nid: 1\ndata: x\n\n:\n: two\n\n';
    const url = await serve((_, response) => response.writeHead(200, STREAM).end(text));
    const stream = await openStream(url);
    expect(await stream.untilComment('two')).toEqual(['one', '', 'two']);
    expect(stream.raw).toBe(text);
  });

  it('opens again by itself with `reconnect`, with its last event ID, until it is answered without a stream', async () => {
    const { app, hub } = await start();
    const stream = await openStream(app, '/news', { reconnect: 1 });
    await stream.untilId();
    const missed = stream.next();
    stream.drop();
    expect(stream.state).toBe('connecting');
    await hub.publish('news', { data: 'missed' });
    expect((await missed).data).toBe('missed');
    expect(stream.connected).toBe(2);
    await hub.disconnect({});
    await stream.untilConnected(3);
    await hub.complete('news');
    expect(await stream.ended()).toBe('refused');
    expect([stream.status, stream.connected]).toEqual([204, 3]);
  });

  it('tries again with `reconnect` while nobody answers, and no more when it is closed', async () => {
    const { app, port, close } = await start();
    const stream = await openStream(app, '/news', { reconnect: 1 });
    await close();
    expect(stream.state).toBe('connecting');
    await startSseApp({ routes, port });
    await stream.untilConnected(2);
    stream.close();
    expect(await stream.ended()).toBe('closed');
  });
});

describe('the matchers', () => {
  it('pass over other events, compare data as toMatchObject() does, and say what has come', async () => {
    const { app, hub } = await start();
    const stream = await openStream(app, '/news', { timeout: 100 });
    for (const text of ['one', 'two']) await hub.publish('news', { type: 'said', data: { text, at: 1 } });
    await expect(stream).toReceive('said', { text: expect.stringMatching('two') });
    await expect(expect(stream).toReceive('said', { text: 'three' })).rejects.toThrow(
      /^Expected an event "said" with {"text":"three"}\. Waited 100 ms .*\n {2}said {"text":"one","at":1}\n/,
    );
    await expect(expect(stream).not.toReceive('said')).rejects.toThrow('cannot be used after "not"');
    await expect(expect(stream).toHaveCompleted()).rejects.toThrow('Waited 100 ms for the end.');
  });

  it('tell an end from a completion', async () => {
    const { app, hub } = await start();
    const stream = await openStream(app, '/news');
    await hub.disconnect({});
    await expect(expect(stream).toHaveCompleted()).rejects.toThrow(
      'Expected the stream to have completed: it has ended, and was answered 200 when it was resumed.',
    );
    await expect(stream).not.toHaveCompleted();
  });
});
