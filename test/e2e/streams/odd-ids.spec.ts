import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { SseHub } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { Random } from './random.js';

const routes: Record<string, Route> = {
  events: (hub) => hub.stream('news'),
  both: (hub) => hub.stream(['news', 'sport']),
};
const start = async (
  adapter: NonNullable<SseAppOptions['adapter']> = 'express',
): Promise<{ hub: SseHub; url: string; first: string }> => {
  const { hub, url } = await startSseApp({ routes, adapter });
  const { position: first } = await hub.history('news');
  await hub.publish('news', { data: 'a' });
  await hub.publish('sport', { data: 'b' });
  return { hub, url, first };
};
/** The first event of a stream: the gap, or what is next. */
async function firstOf(
  url: string,
  hub: SseHub,
  headers: Record<string, string> = {},
): Promise<{ type: string; data: string }> {
  const client = await listen(url, { headers });
  expect(client.status).toBe(200);
  await hub.publish('news', { data: 'marker' });
  const { type, data, text } = await client.next();
  return { type, data: type === 'gap' ? (data as { reason: string }).reason : text };
}

/** What a server answers to bytes that no client of Node would send, up to what is looked for. */
async function sendRaw(url: string, head: string | Buffer, until: RegExp): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  whenTestEnds(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(head);
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk as string;
    if (until.test(text)) return text;
  }
  throw new Error(`The connection was closed after ${text}`);
}

describe.each(adapters)('a Last-Event-ID nobody was ever given (%s)', (adapter) => {
  it('is the first of several query parameters', async () => {
    const { hub, url, first } = await start(adapter);
    expect((await firstOf(`${url}/events?lastEventId=${first}&lastEventId=zzz-1`, hub)).data).toBe('a');
    expect((await firstOf(`${url}/events?lastEventId=zzz-1&lastEventId=${first}`, hub)).data).toBe('unknown');
    expect((await firstOf(`${url}/events?lastEventId[]=zzz-1`, hub)).data).toBe('marker');
  });

  it('may come in a query that has a question mark before it', async () => {
    const { hub, url, first } = await start(adapter);
    expect((await firstOf(`${url}/events?q=what?&lastEventId=${first}`, hub)).data).toBe('a');
  });

  it('sent in two headers is unreadable, and a blank header is none', async () => {
    const { hub, url, first } = await start(adapter);
    const lines = [
      'GET /events HTTP/1.1',
      'Host: x',
      `Last-Event-ID: ${first}`,
      'Last-Event-ID: zzz-1',
      '',
      '',
    ];
    const text = await sendRaw(url, lines.join('\r\n'), /event: gap\ndata: .*\n/);
    expect(text).toContain('"reason":"unreadable"');
    expect((await firstOf(`${url}/events?lastEventId=${first}`, hub, { 'last-event-id': '' })).data).toBe(
      'a',
    );
  });

  it('may be bytes that are no UTF-8', async () => {
    const { url } = await start(adapter);
    const lines = Buffer.concat([
      Buffer.from('GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: '),
      Buffer.from([0xff, 0xfe, 0x80, 0xc3, 0x28]),
      Buffer.from('\r\n\r\n'),
    ]);
    const text = await sendRaw(url, lines, /event: gap\ndata: .*\n/);
    expect(text).toContain('"reason":"unreadable","requested":"���\uFFFD("');
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it('is answered with 200 and a defined beginning, whatever it is', async () => {
    const cases: [string, string, string][] = [
      ['words', 'hello world', 'unreadable'],
      ['a negative offset', 'abc--5', 'unreadable'],
      ['a fraction', 'abc-1.5', 'unreadable'],
      ['an offset that is no safe integer', '9007199254740993.abcdefghijkl', 'unreadable'],
      ['an offset of a hundred digits', `abc-${'9'.repeat(100)}`, 'unreadable'],
      ['a huge offset', '9007199254740991.abcdefghijkl', 'unknown'],
      ['an id of version 0.1', 'abc-7', 'unknown'],
      ['a mark that is too short', '1.abcd', 'unreadable'],
      ['a mark that is too long', `1.${'a'.repeat(40)}`, 'unreadable'],
      ['control characters', 'abc\u0000\u0001\n\r\u007f-1', 'unreadable'],
      ['a line that would end the gap', 'x\n\ndata: forged\n\n', 'unreadable'],
      ['broken percent-encoding within', 'news%ZZ=abc-1', 'unreadable'],
      ['many ampersands', '&'.repeat(4_000), 'unreadable'],
      ['many equals signs', '='.repeat(4_000), 'unreadable'],
      ['a name without a position', 'news=', 'unreadable'],
      ['a position without a name', '=abc-1', 'unreadable'],
      ['a position and rubbish', 'news=abc-1&rubbish', 'unreadable'],
      ['the name of something every object has', '__proto__=abc-1', 'marker'],
      ['only the positions of other channels', 'weather=abc-1&traffic=abc-2', 'marker'],
      ['nothing', '', 'marker'],
    ];
    const { hub, url } = await start(adapter);
    for (const [what, id, expected] of cases) {
      for (const path of ['events', 'both']) {
        const { data } = await firstOf(`${url}/${path}?lastEventId=${encodeURIComponent(id)}`, hub);
        expect([what, path, data]).toEqual([what, path, expected]);
      }
    }
  });

  it('never brings a stream down, whatever the bytes (seeded)', async () => {
    const { hub, url } = await start(adapter);
    const random = new Random(12);
    const alphabet = ['%', '&', '=', '-', '.', '0', '9', 'a', 'news', 'ü', '😀', '\0', ' ', '+', '/', '..'];
    for (let i = 0; i < 100; i++) {
      const id = Array.from({ length: random.between(1, 12) }, () => random.oneOf(alphabet)).join('');
      const encoded = encodeURIComponent(id);
      await firstOf(`${url}/${random.oneOf(['events', 'both'])}?lastEventId=${encoded}`, hub);
    }
  });
});

describe('a Last-Event-ID that is too long to be one', () => {
  it('of 100 kB in the query is a gap, where the server reads so long a head', async () => {
    const express = new ExpressAdapter();
    const { hub, url } = await start(largeHeads(express));
    const { type, data } = await firstOf(`${url}/events?lastEventId=${'x'.repeat(100_000)}`, hub);
    expect([type, data]).toEqual(['gap', 'unreadable']);
  });

  it('is told back in the gap only in part', async () => {
    const { url } = await start();
    const client = await listen(`${url}/events`, { lastEventId: 'y'.repeat(10_000) });
    const { requested } = (await client.next()).data as { requested: string };
    expect(requested).toMatch(/^y{100,300}/);
    expect(requested.length).toBeLessThan(300);
  });

  it('but well-formed is unreadable too, as none is sent that long', async () => {
    const { hub, url, first } = await start();
    const named = `news=${first}&${Array.from({ length: 300 }, (_, i) => `channel${i}=abc-1`).join('&')}`;
    expect((await firstOf(`${url}/events?lastEventId=${encodeURIComponent(named)}`, hub)).data).toBe(
      'unreadable',
    );
  });
});

/** Node refuses heads over 16 kB, unless a server is made that does not. */
function largeHeads(adapter: ExpressAdapter): ExpressAdapter {
  adapter.initHttpServer = () => {
    adapter.setHttpServer(createServer({ maxHeaderSize: 256 * 1024 }, adapter.getInstance()));
  };
  return adapter;
}
