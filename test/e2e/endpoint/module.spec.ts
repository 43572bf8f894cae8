import { Logger, SetMetadata } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { map } from 'rxjs';
import { SseModule } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp } from '../../support/sse-app.js';
import { answerTo } from '../../support/open-stream.js';
import {
  change,
  DoorModule,
  openEndpoint,
  startEndpointApp,
  TestAccess,
  TokenGuard,
} from './endpoint-app.js';

const INVALID = { name: 'SseError', code: 'INVALID_OPTIONS' };
const endpoint = { path: 'events', guards: [TokenGuard] };

describe('the option "endpoint"', () => {
  it('is off by default', async () => {
    const { url } = await startSseApp({ providers: [TestAccess] });
    expect((await fetch(`${url}/events`)).status).toBe(404);
  });

  it('is given to forRootAsync() itself, with the modules that its guards need', async () => {
    const imports = [
      SseModule.forRootAsync({ imports: [DoorModule], useFactory: () => ({ heartbeat: 0 }), endpoint }),
    ];
    const { url } = await startSseApp({ sse: false, imports, providers: [TestAccess] });
    const { id } = await openEndpoint(url, []);
    expect((await change(url, id, { join: ['rooms/a'] })).body.joined).toEqual(['rooms/a']);
    expect((await change(url, id, {}, { 'x-token': 'wrong' })).status).toBe(401);
  });

  it('comes too late from a factory, which is said', async () => {
    const options = { endpoint } as object;
    const starting = startSseApp({
      sse: false,
      imports: [DoorModule, SseModule.forRootAsync({ useFactory: () => options })],
    });
    await expect(starting).rejects.toMatchObject(INVALID);
  });

  it.each([
    [null],
    [true],
    [{}],
    [{ path: 1 }],
    [{ path: 'a', guards: TokenGuard }],
    [{ path: 'a', guard: 1 }],
    [{ path: 'a', decorators: [1] }],
  ])('is refused where it is written: %j', (wrong) => {
    const refusal: unknown = expect.objectContaining(INVALID);
    expect(() => SseModule.forRoot({ endpoint: wrong as never })).toThrow(refusal);
  });

  it('takes decorators, which guards of the application see, and a version', async () => {
    const marked: unknown[] = [];
    const { url } = await startSseApp({
      sse: {
        endpoint: { path: 'events', version: '2', decorators: [SetMetadata('is-public', true)] },
      },
      providers: [TestAccess],
      configure: (app) => {
        app.enableVersioning();
        app.useGlobalGuards({
          canActivate: (context) => {
            marked.push(Reflect.getMetadata('is-public', context.getClass()));
            return true;
          },
        });
      },
    });
    expect((await fetch(`${url}/events`)).status).toBe(404);
    const client = await answerTo(`${url}/v2/events`);
    expect([client.status, marked]).toEqual([200, [true]]);
  });

  it('takes no form, which a page of another origin may send', async () => {
    const { url } = await startEndpointApp();
    const { id } = await openEndpoint(url, []);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await change(url, id, 'join[]=rooms/a', headers)).status).toBe(415);
    const json = { 'content-type': 'application/json; charset=utf-8' };
    expect((await change(url, id, { join: ['rooms/a'] }, json)).body.joined).toEqual(['rooms/a']);
  });

  it('refuses every channel of an application without authorisers, which is said at start-up', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    whenTestEnds(() => warn.mockRestore());
    await startEndpointApp();
    expect(warn).not.toHaveBeenCalled();
    const { url } = await startSseApp({ sse: { endpoint: { path: 'events' } } });
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/no method has @AuthorizeChannel\(\)/)]]);
    expect((await fetch(`${url}/events?channel=rooms/a`)).status).toBe(403);
    const { id } = await openEndpoint(url, []);
    expect((await change(url, id, { join: ['rooms/a'] })).body.denied).toEqual(['rooms/a']);
  });

  it('has streams that interceptors see, and that are joined all the same', async () => {
    const { url, hub } = await startEndpointApp(
      {},
      {
        configure: (app) =>
          app.useGlobalInterceptors({
            intercept: (_, next) => next.handle().pipe(map((value: unknown) => value)),
          }),
      },
    );
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    await change(url, id, { join: ['rooms/b'] });
    await hub.publish('rooms/b', { data: 'hello' });
    expect((await client.next()).text).toBe('hello');
  });
});
