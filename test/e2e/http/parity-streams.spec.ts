import { Body, Controller, HttpCode, RequestMethod } from '@nestjs/common';
import type { MessageEvent } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { concat, EMPTY, from, map, NEVER, Observable, of, take, timer } from 'rxjs';
import { listen } from '../../support/open-stream.js';
import { allData, flavours, flavoursOnEachAdapter, openStream, startFlavour } from './flavours.js';

describe.each(flavoursOnEachAdapter)('$name: the head, and what is read of the request', (flavour) => {
  const { Sse } = flavour;
  it('sends the head before the first event', async () => {
    const client = await openStream(flavour, () => NEVER);
    expect(client.status).toBe(200);
    expect(client.headers).toMatchObject({
      'cache-control': 'private, no-cache, no-store, must-revalidate, max-age=0, no-transform',
      'x-accel-buffering': 'no',
      connection: 'keep-alive',
    });
  });

  it('sends the head of a HEAD request, and no more', async () => {
    let isSubscribed = false;
    const source = new Observable(() => {
      isSubscribed = true;
      return () => (isSubscribed = false);
    });
    const client = await openStream(flavour, () => source, { client: { method: 'HEAD' } });
    expect(client.status).toBe(200);
    expect(client.headers['content-type']).toBe('text/event-stream');
    expect(await client.ended()).toBe('ended');
    expect(isSubscribed).toBe(false);
  });

  it('streams the answer to a POST with a body', async () => {
    @Controller()
    class PromptController {
      @Sse('answers', { method: RequestMethod.POST })
      answer(@Body() { prompt }: { prompt: string }): Observable<unknown> {
        return from(prompt.split(' '));
      }

      @Sse('quiet', { method: RequestMethod.POST })
      @HttpCode(202)
      quiet(): Observable<unknown> {
        return of('ok');
      }
    }
    const { url } = await startFlavour(flavour, { controllers: [PromptController] });
    const post = {
      method: 'POST',
      body: '{"prompt":"tell me"}',
      headers: { 'content-type': 'application/json' },
    };
    const answer = await listen(`${url}/answers`, post);
    expect([answer.status, await allData(answer)]).toEqual([flavour.isOurs ? 200 : 201, ['tell', 'me']]);
    const quiet = await listen(`${url}/quiet`, post);
    expect([quiet.status, await allData(quiet)]).toEqual([202, ['ok']]);
  });
});

describe.each(flavours)('$name: what is streamed', (flavour) => {
  const { isOurs } = flavour;

  it.each<[string, () => unknown]>([
    ['an Observable that emits at once', () => of('a', 'b')],
    [
      'an Observable that emits later',
      () =>
        timer(2, 1).pipe(
          take(2),
          map((i) => 'ab'[i]),
        ),
    ],
    ['a Promise of an Observable', () => Promise.resolve(of('a', 'b'))],
    [
      'an async method',
      async () =>
        timer(2)
          .pipe(map(() => 'a'))
          .pipe((late) => concat(late, of('b'))),
    ],
    ['an Observable from a Promise', () => concat(from(Promise.resolve('a')), of('b'))],
  ])('serves %s, to its end', async (_what, method) => {
    const client = await openStream(flavour, method);
    expect(client.status).toBe(200);
    expect(client.headers['content-type']).toBe('text/event-stream');
    expect(await allData(client)).toEqual(['a', 'b']);
    expect(await client.ended()).toBe('ended');
  });

  it('serves a thenable that resolves to an Observable', async () => {
    const lazy = { then: (resolve: (value: unknown) => void) => resolve(of('a')) };
    expect(await allData(await openStream(flavour, () => lazy))).toEqual(['a']);
  });

  it('answers 200 and ends when the Observable is empty', async () => {
    const client = await openStream(flavour, () => EMPTY);
    expect(await allData(client)).toEqual([]);
    expect([client.status, await client.ended()]).toEqual([200, 'ended']);
  });

  it('sends strings as they are and everything else as JSON', async () => {
    const values = ['text', 7, true, { data: { a: [1] } }, { data: 'text' }, { data: 0 }, { data: '' }];
    const client = await openStream(flavour, () => from(values));
    expect(await allData(client)).toEqual(['text', '7', 'true', '{"a":[1]}', 'text', '0', '']);
  });

  it('dispatches nothing for null, undefined and an event without data', async () => {
    const values = [null, undefined, { data: null }, { type: 'named' }, { data: 'marker' }];
    expect(await allData(await openStream(flavour, () => from(values)))).toEqual(['marker']);
  });

  it('writes the fields of a MessageEvent', async () => {
    const event: MessageEvent = {
      id: 'x',
      type: 'greeting',
      retry: 1234,
      comment: 'a\nb',
      data: 'one\ntwo\r\nthree\rfour',
    };
    const client = await openStream(flavour, () => of(event));
    expect(await client.next()).toMatchObject({ id: 'x', type: 'greeting', text: 'one\ntwo\nthree\nfour' });
    expect([client.retry, client.comments.slice(-2)]).toEqual([1234, ['a', 'b']]);
  });

  it('lets no field of one line break out of its line', async () => {
    const event = {
      id: 'i\nd',
      type: 'ty\r\npe',
      retry: '5\nevent: forged',
      data: 'x',
    } as unknown as MessageEvent;
    const client = await openStream(flavour, () => of(event));
    expect(await client.rest()).toMatchObject([{ id: 'id', type: 'type', text: 'x' }]);
  });

  it(isOurs ? 'gives no ids to events that have none' : 'numbers the events that have no id', async () => {
    const events = [
      { data: 'a' },
      { comment: 'only' } as unknown as MessageEvent,
      { data: 'b' },
      { id: 'own', data: 'c' },
      { data: 'd' },
    ];
    const client = await openStream(flavour, () => from(events));
    const ids = (await client.rest()).map(({ id }) => id);
    expect(ids).toEqual(isOurs ? [undefined, undefined, 'own', undefined] : ['1', '2', 'own', '3']);
  });
});
