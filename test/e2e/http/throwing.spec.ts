import { describe, expect, it } from '@jest/globals';
import { concat, concatMap, firstValueFrom, map, of, take, throwError } from 'rxjs';
import type { Observable } from 'rxjs';
import type { SseEvent, SseHub } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';

type Operator = (source: Observable<SseEvent>) => Observable<unknown>;

const other: Route = (hub) => hub.stream('news');

/** That it was thrown past its stream would end the process; another stream goes on, at least. */
async function expectOthersServed(hub: SseHub, url: string): Promise<void> {
  const client = await listen(`${url}/other`);
  await client.untilId();
  await hub.publish('news', { data: 'for others' });
  expect((await client.next()).text).toBe('for others');
}

const fail = (): never => {
  throw new Error('of the application');
};

describe.each(adapters)('what is of the application (%s)', (adapter) => {
  const start = (events: Route, options: SseAppOptions = {}) =>
    startSseApp({ routes: { events, other }, adapter, ...options });

  it('answers 500 where its onCaughtUp throws before anything was sent', async () => {
    const { hub, url } = await start((hub) => hub.stream('news', { onCaughtUp: fail }));
    expect(await answerTo(`${url}/events`)).toMatchObject({ status: 500 });
    await expectOthersServed(hub, url);
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it.each<[string, Operator]>([
    [
      'the last value of its stream',
      (source) =>
        source.pipe(
          map(() => ({ data: 1n })),
          take(1),
        ),
    ],
    [
      'what it gives before it fails',
      (source) =>
        source.pipe(
          concatMap(() =>
            concat(
              of({ data: 1n }),
              throwError(() => new Error('x')),
            ),
          ),
        ),
    ],
  ])('ends its stream by an error where %s has no JSON form', async (_, operator) => {
    const { hub, url } = await start((hub) => hub.stream('news').pipe(operator));
    const client = await listen(`${url}/events`);
    await client.untilId();
    await hub.publish('news', { data: 'a' });
    expect((await client.rest()).map(({ type }) => type)).toEqual(['error']);
    expect(await client.ended()).toBe('ended');
    await expectOthersServed(hub, url);
  });

  it('ends its stream by an error where its onCaughtUp throws', async () => {
    const { hub, url } = await start((hub) => hub.stream('news', { replay: 'all', onCaughtUp: fail }));
    await hub.publish('news', { data: 'a' });
    const client = await listen(`${url}/events`);
    expect((await client.rest()).at(-1)).toMatchObject({ type: 'error' });
    expect(await client.ended()).toBe('ended');
    await expectOthersServed(hub, url);
  });

  it('is cut off from its client where its plain.gap throws', async () => {
    const { hub, url } = await start(other, { routeOptions: { plain: { gap: fail } } });
    const client = await listen(`${url}/events`, { lastEventId: 'abc-1' }).catch(() => undefined);
    expect((await client?.ended()) ?? 'broken').toBe('broken');
    await expectOthersServed(hub, url);
  });
});

it('a stream outside a response fails where its onCaughtUp throws', async () => {
  const { hub } = await startSseApp();
  const stream = hub.stream('news', { onCaughtUp: fail });
  await expect(firstValueFrom(stream)).rejects.toThrow('of the application');
  expect(hub.stats().subscribers).toBe(0);
});
