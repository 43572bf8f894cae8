import { Controller, Get, Post } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { lmdbBackplane } from '../../../src/sse/backplanes/lmdb/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { describeWith } from '../../support/describe-with.js';
import { startProxy, type ProxyName } from '../../support/proxies.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

// Each proxy is configured as the guide says. What is special about nginx is in nginx.spec.ts.

/** The heartbeat by which a proxy notices that a client has left; 0 where it notices without. */
const heartbeats = { nginx: 0, caddy: 0, haproxy: 200, apache2: 200, varnishd: 0 };

/** Milliseconds that a proxy which gathers events waits for more, each time. */
const GATHERING = 200;

const PAGE = 'http://page.example';

@Controller()
class AppController {
  @Get('health/ready')
  health(): string {
    return 'ok';
  }

  @Post('events')
  post(): string {
    return 'done';
  }
}

const startApp = (sse: SseModuleOptions, port?: number): Promise<SseApp> =>
  startSseApp({
    sse,
    routes: { events: (hub) => hub.stream('news') },
    controllers: [AppController],
    ...(port !== undefined && { port }),
  });

const post = async (url: string): Promise<number> => (await fetch(url, { method: 'POST' })).status;

for (const [name, heartbeat] of Object.entries(heartbeats) as [ProxyName, number][]) {
  describeWith(name, `Behind ${name}`, (program) => {
    it('an event comes before the next is published, and is not kept for company', async () => {
      const { hub, port } = await startApp({ heartbeat });
      const client = await listen(`${await startProxy(name, program, port)}/events`);
      const times: number[] = [];
      for (let i = 0; i < 10; i++) {
        const published = performance.now();
        await hub.publish('news', { data: `${i}` });
        expect((await client.next()).text).toBe(`${i}`);
        times.push(performance.now() - published);
      }
      // The fastest of all, so that a busy machine does not matter.
      expect(Math.min(...times)).toBeLessThan(GATHERING);
    });

    it('a restart of the server is a `retry:`, and nothing is lost by it', async () => {
      const backplane = lmdbBackplane({ path: await temporaryFolder() });
      const before = await startApp({ backplane });
      const url = `${await startProxy(name, program, before.port)}/events`;
      const client = await listen(url, { reconnect: 20, headers: { origin: PAGE } });
      await untilConnections(before.hub, 1);
      await before.hub.publish('news', { data: 'before' });
      await client.next();
      expect(await post(url)).toBe(201);

      await before.close();
      await eventually(() => client.retry === 3_000);
      expect(client.status).toBe(200);
      expect(client.headers).toMatchObject({
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'access-control-allow-origin': PAGE,
        'access-control-allow-credentials': 'true',
      });
      // What was posted is not done, and a page that is no stream is not there.
      expect(await post(url)).toBeGreaterThanOrEqual(502);
      expect((await fetch(url.replace('events', 'other'))).status).toBeGreaterThanOrEqual(502);

      // An instance that the client does not come to.
      const meanwhile = await startApp({ backplane });
      await meanwhile.hub.publish('news', { data: 'meanwhile' });
      await meanwhile.close();
      const after = await startApp({ backplane }, before.port);
      await after.hub.publish('news', { data: 'after' });
      expect((await client.take(2)).map(({ text }) => text)).toEqual(['meanwhile', 'after']);
    });

    it(`that a client has left is noticed ${heartbeat === 0 ? 'at once' : 'by the heartbeat'}`, async () => {
      const { hub, port } = await startApp({ heartbeat });
      const client = await listen(`${await startProxy(name, program, port)}/events`);
      await untilConnections(hub, 1);
      client.close();
      await untilConnections(hub, 0);
    });
  });
}
