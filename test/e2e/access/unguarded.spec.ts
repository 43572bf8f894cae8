import { Controller, Inject } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';
import { Sse, SseHub } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { startSseApp } from '../../support/sse-app.js';
import { answerTo } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { openEndpoint, startEndpointApp, change } from '../endpoint/endpoint-app.js';
import { denied } from './denied.js';
import { pathOf, startRoomsApp, StreamsController } from './rooms-app.js';

const deny: SseModuleOptions = { unguarded: 'deny', strictHandlers: false };

@Controller()
class OpenController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse('open')
  open(): Observable<unknown> {
    return this.hub.stream('news', { authorize: false });
  }
}

describe('a channel that nobody guards', () => {
  it.each(['/events', '/stock'])(
    'is denied on %s with unguarded: "deny", and the log says why',
    async (path) => {
      const { openAt, app, hub } = await startRoomsApp({ sse: deny });
      const log = new LogRecorder();
      app.useLogger(log);
      const client = await openAt(pathOf(['rooms/ann', 'news'], path), 'ann');
      expect(await client.next()).toMatchObject(denied('news'));
      await hub.publish('news', { data: 'secret' });
      await hub.publish('rooms/ann', { data: 'yours' });
      expect(await client.next()).toMatchObject({ text: 'yours' });
      expect(log.entries).toMatchObject([
        {
          level: 'warn',
          text: expect.stringMatching(/"news" is denied: no method with @AuthorizeChannel\(\)/),
        },
      ]);
    },
  );

  it('is a 403 where it is all there is, also where nobody is asked for any channel', async () => {
    expect((await (await startRoomsApp({ sse: deny })).answer('ann', 'news')).status).toBe(403);
    const { url } = await startSseApp({ routes: { events: (hub) => hub.stream('news') }, sse: deny });
    expect((await answerTo(`${url}/events`)).status).toBe(403);
  });

  it('is open to streams that say so, and to the application itself', async () => {
    const { openAt, hub } = await startRoomsApp({
      sse: deny,
      controllers: [StreamsController, OpenController],
    });
    const client = await openAt('/open', 'ann');
    const own = firstValueFrom(hub.stream('news'));
    await hub.publish('news', { data: 'x' });
    expect([(await client.next()).text, (await own).data]).toEqual(['x', 'x']);
  });

  it('is open without the option', async () => {
    expect((await (await startRoomsApp({ sse: { strictHandlers: false } })).open('ann', 'news')).status).toBe(
      200,
    );
  });
});

describe('what clients are denied', () => {
  it.each<[string, (i: number) => string]>([
    ['by names that nobody guards', (i) => `nobody/${i}`],
    ['by names that are written otherwise', (i) => `rooms/%61${i}`],
  ])('is logged a few times however often they ask, %s', async (_, nameOf) => {
    const { url, app, close } = await startEndpointApp({
      strictHandlers: false,
      limits: { joinsPerSecond: 1_000 },
    });
    const log = new LogRecorder();
    app.useLogger(log);
    const { id } = await openEndpoint(url, []);
    const names = Array.from({ length: 40 }, (__, i) => nameOf(i));
    expect((await change(url, id, { join: names })).body.denied).toEqual(names);
    const { status } = await answerTo(`${url}${pathOf(names)}`);
    expect(status).toBe(403);
    await close();
    const lines = log.entries.filter(({ text }) => text.includes('is denied'));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(21);
  });

  it('by a method that answers with something truthy is logged once, with what it is to answer', async () => {
    const { answer, rooms, app } = await startRoomsApp({ sse: { strictHandlers: false } });
    const log = new LogRecorder();
    app.useLogger(log);
    rooms.answer = () => 'yes';
    for (let i = 0; i < 3; i++) expect((await answer('ann', 'rooms/ann')).status).toBe(403);
    expect(log.entries).toMatchObject([
      {
        level: 'error',
        text: expect.stringMatching(/Rooms\.mayEnter\(\) has answered with 'yes'.*Return true/),
      },
    ]);
  });
});
