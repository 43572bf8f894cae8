import { Controller, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { of, timer, map, startWith } from 'rxjs';
import type { Observable } from 'rxjs';
import { startSseApp, type Route } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from './log-recorder.js';

const routes: Record<string, Route> = {
  now: () => of({ price: 1 }),
  list: () => of([1, 2]),
  later: () =>
    timer(1).pipe(
      map(() => ({ price: 1, symbol: 'A' })),
      startWith({ data: 'first' }),
    ),
  mapped: (hub) => hub.stream('prices').pipe(map(({ data }) => ({ price: data as unknown }))),
};

describe('an object that is no event', () => {
  const start = async (): Promise<{ url: string; log: LogRecorder; publish: () => Promise<string> }> => {
    const log = new LogRecorder();
    const { url, hub } = await startSseApp({ routes, configure: (app) => app.useLogger(log) });
    return { url, log, publish: () => hub.publish('prices', { data: 7 }) };
  };

  it.each(['now', 'list'])('fails a stream that has not begun: %s', async (path) => {
    const { url, log } = await start();
    expect((await answerTo(`${url}/${path}`)).status).toBe(500);
    await log.until(new RegExp(`INVALID_EVENT The stream of /${path} has emitted .* Emit \\{ data: … \\}`));
  });

  it('fails a stream that is open, and the log names the route and what it has', async () => {
    const { url, log } = await start();
    const client = await listen(`${url}/later`);
    expect((await client.rest()).map(({ type, text }) => [type, text])).toEqual([
      ['message', 'first'],
      ['error', 'Internal server error'],
    ]);
    await log.until(/The stream of \/later .* but price, symbol\./);
  });

  it('fails what is made of an event of the hub', async () => {
    const { url, log, publish } = await start();
    const client = await listen(`${url}/mapped`);
    await publish();
    expect(await client.next()).toMatchObject({ type: 'error' });
    await log.until(/The stream of \/mapped/);
  });

  it('is on Nest’s own routes what it is to Nest', async () => {
    @Controller()
    class StockController {
      @StockSse('stock')
      stock(): Observable<unknown> {
        return of({ price: 1 }, { data: 'x' });
      }
    }
    const { url } = await startSseApp({ controllers: [StockController] });
    expect(await (await listen(`${url}/stock`)).rest()).toMatchObject([{ text: 'x' }]);
  });
});
