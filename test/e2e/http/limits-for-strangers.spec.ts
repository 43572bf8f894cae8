import type { IncomingMessage } from 'node:http';
import { Controller, ForbiddenException, Sse as StockSse } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { describe, expect, it, jest } from '@jest/globals';
import { NEVER } from 'rxjs';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';
import { eventually } from '../../support/eventually.js';
import { answerTo, listen } from '../../support/open-stream.js';

@Controller()
class StockController {
  @StockSse('stock')
  stock(): unknown {
    return NEVER;
  }
}

const routes: Record<string, Route> = { events: (hub) => hub.stream('news') };

/** Clients whom a header names. */
const byName = (request: { headers: Record<string, string | undefined> }) => request.headers['name'];

describe.each(adapters)('On %s', (adapter) => {
  const start = (sse: SseModuleOptions, options: SseAppOptions = {}): Promise<SseApp> =>
    startSseApp({ routes, sse, adapter, controllers: [StockController], ...options });
  const open = (app: SseApp, headers: Record<string, string> = {}, path = 'events') =>
    listen(`${app.url}/${path}`, { headers });
  const answer = (app: SseApp, headers: Record<string, string> = {}, path = 'events') =>
    answerTo(`${app.url}/${path}`, { headers });

  describe('limits.connectionsPerKey', () => {
    it.each(['events', 'stock'])(
      'answers one too many from an address with 200, a retry and the end (/%s)',
      async (path) => {
        const app = await start({ limits: { connectionsPerKey: 2 }, retry: 1000, shutdown: { spread: 500 } });
        await open(app);
        await open(app, {}, 'stock');
        const late = await open(app, {}, path);
        expect([late.status, late.headers['content-type'], await late.ended()]).toEqual([
          200,
          'text/event-stream',
          'ended',
        ]);
        expect(late.retry).toBeGreaterThanOrEqual(1000);
        expect(late.retry).toBeLessThan(1500);
        expect(app.hub.stats().connections).toBe(2);
      },
    );

    it.each(['events', 'stock'])(
      'answers it with 429 and Retry-After, when told to refuse (/%s)',
      async (path) => {
        const app = await start({ limits: { connectionsPerKey: 1 }, whenFull: 'refuse' });
        await open(app);
        const late = await answerTo(`${app.url}/${path}`);
        expect([late.status, late.body.statusCode]).toEqual([429, 429]);
        expect(Number(late.headers['retry-after'])).toBeGreaterThanOrEqual(2);
      },
    );

    it('answers with 503 where there are too many of all', async () => {
      const limits = { connections: 1, connectionsPerKey: 1 };
      const app = await start({ limits, whenFull: 'refuse', connectionKey: byName });
      await open(app, { name: 'a' });
      expect((await answer(app, { name: 'b' })).status).toBe(503);
    });

    it('takes the next one in when one has left', async () => {
      const app = await start({ limits: { connectionsPerKey: 1 }, whenFull: 'refuse' });
      for (let i = 0; i < 3; i++) {
        const client = await open(app);
        expect(client.status).toBe(200);
        expect((await answer(app)).status).toBe(429);
        client.drop('fin');
        await untilConnections(app.hub, 0);
      }
    });

    it('counts by what connectionKey says, and not at all where it says nothing', async () => {
      const app = await start({
        limits: { connectionsPerKey: 1 },
        whenFull: 'refuse',
        connectionKey: byName,
      });
      const statuses: number[] = [];
      for (const name of ['a', 'b', 'a', 'b']) statuses.push((await answer(app, { name })).status);
      for (let i = 0; i < 3; i++) statuses.push((await answer(app)).status);
      expect(statuses).toEqual([200, 200, 429, 429, 200, 200, 200]);
    });

    it('sends what connectionKey throws to the exception filters', async () => {
      const app = await start({
        limits: { connectionsPerKey: 1 },
        connectionKey: () => {
          throw new ForbiddenException();
        },
      });
      expect([(await answer(app)).status, (await answer(app, {}, 'stock')).status]).toEqual([403, 403]);
      expect(app.hub.stats().connections).toBe(0);
    });

    describe('behind a proxy', () => {
      const limited: SseModuleOptions = { limits: { connectionsPerKey: 1 }, whenFull: 'refuse' };
      const statuses = async (app: SseApp): Promise<number[]> => [
        (await answer(app, { 'x-forwarded-for': '10.0.0.1' })).status,
        (await answer(app, { 'x-forwarded-for': '10.0.0.2' })).status,
        // A client may write what it likes; the proxy adds where it came from.
        (await answer(app, { 'x-forwarded-for': '10.9.9.9, 10.0.0.1' })).status,
      ];

      it('takes clients for one, unless the adapter trusts it', async () => {
        expect(await statuses(await start(limited))).toEqual([200, 429, 429]);
      });

      it('tells clients apart by what connectionKey reads', async () => {
        const connectionKey = ({ headers }: IncomingMessage) =>
          headers['x-forwarded-for']?.toString().split(',').at(-1)?.trim();
        expect(await statuses(await start({ ...limited, connectionKey }))).toEqual([200, 200, 429]);
      });

      // Nest's NodeAdapter has no such setting.
      const trusting: Partial<Record<AdapterName, SseAppOptions>> = {
        express: { configure: (app) => (app as NestExpressApplication).set('trust proxy', 'loopback') },
        fastify: { adapter: new FastifyAdapter({ trustProxy: 'loopback' }) },
      };
      const options = trusting[adapter];
      if (options) {
        it('tells clients apart where the adapter trusts it', async () => {
          expect(await statuses(await start(limited, options))).toEqual([200, 200, 429]);
        });
      }
    });
  });

  describe('limits.connectionsPerSecond', () => {
    /** A clock that goes on when it is told to. Of fractions half a second later could be a bit less than that. */
    function ownClock(): { now: number } {
      const clock = { now: Math.ceil(performance.now()) };
      const spy = jest.spyOn(performance, 'now').mockImplementation(() => clock.now);
      whenTestEnds(() => spy.mockRestore());
      return clock;
    }

    it('turns away those that come too fast, until there is room for the next', async () => {
      const clock = ownClock();
      // A client that is sent away gets a time of its own, by chance.
      const chance = jest.spyOn(Math, 'random').mockReturnValue(0.5);
      whenTestEnds(() => chance.mockRestore());
      const app = await start({ limits: { connectionsPerSecond: 2 } });
      const endings = async () => {
        const clients = [await open(app), await open(app, {}, 'stock'), await open(app), await open(app)];
        await Promise.all(clients.map((client) => eventually(() => client.raw !== '')));
        return clients.map(({ status, retry }) => [status, retry !== undefined && retry > 2_000]);
      };
      const [isIn, isSentAway] = [
        [200, false],
        [200, true],
      ];
      expect(await endings()).toEqual([isIn, isIn, isSentAway, isSentAway]);
      expect(app.hub.stats().connections).toBe(2);
      clock.now += 500;
      expect(await endings()).toEqual([isIn, isSentAway, isSentAway, isSentAway]);
    });

    it('answers with 503 when told to refuse, and takes nothing for whom another limit turns away', async () => {
      ownClock();
      const app = await start({
        limits: { connectionsPerSecond: 2, connectionsPerKey: 1 },
        connectionKey: byName,
        whenFull: 'refuse',
      });
      const statuses: number[] = [];
      for (const name of ['a', 'a', 'a', 'b', 'c']) statuses.push((await answer(app, { name })).status);
      expect(statuses).toEqual([200, 429, 429, 200, 503]);
    });
  });
});
