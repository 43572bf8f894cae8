import { Controller, Get, Logger } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describe, expect, it, jest } from '@jest/globals';
import { NEVER } from 'rxjs';
import { defineChannel, Sse } from '../../../src/sse/index.js';
import { addSse, ApiSse } from '../../../src/sse/swagger/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp } from '../../support/sse-app.js';
import { refusal, refused } from '../../unit/refusal.js';
import { eventsOf, operationsOf, type Json } from './open-api.js';
import { documentOf, FeedModule, startSwaggerApp } from './swagger-app.js';

const statusesOf = (operation: Json): string[] => Object.keys(operation.responses);

describe('the document has', () => {
  it('every stream where Nest serves it: with prefix, versions and the paths of modules', async () => {
    const { app } = await startSwaggerApp();
    const operations = operationsOf(documentOf(app, '3.2.0'));
    const streams = Object.keys(operations).filter((name) => {
      const { responses } = operations[name];
      return Object.values<Json>(responses).some(({ content }) => content?.['text/event-stream']);
    });
    expect(streams.sort()).toEqual([
      'GET /api/all',
      'GET /api/orders/stock-route',
      'GET /api/orders/unknown',
      'GET /api/orders/{id}/events',
      'GET /api/v1/feeds/first/feed',
      'GET /api/v1/feeds/second/feed',
      'GET /api/v2/feeds/first/feed',
      'GET /orders/plain',
      'POST /api/all',
      'POST /api/orders/stock',
    ]);
  });

  it('them also where it leaves the prefix out, or has some modules only', async () => {
    const { app } = await startSwaggerApp();
    const bare = documentOf(app, '3.2.0', { ignoreGlobalPrefix: true });
    expect(eventsOf(bare, 'GET /orders/{id}/events')).toContain('OrdersIdShippedEvent');
    const some = documentOf(app, '3.2.0', { include: [FeedModule] });
    expect(eventsOf(some, 'GET /api/v1/feeds/first/feed')).toContain('SseAnyEvent');
    expect(Object.keys(some.paths)).toHaveLength(3);
  });

  it('the refusals of each controller where several have inherited a method', async () => {
    const { app } = await startSwaggerApp();
    const operations = operationsOf(documentOf(app, '3.2.0'));
    expect(statusesOf(operations['GET /api/v1/feeds/first/feed'])).toEqual(['200', '204']);
    expect(statusesOf(operations['GET /api/v1/feeds/second/feed'])).toEqual(['200', '204', '403']);
  });

  it('the same once more, and nothing of the search for the routes', async () => {
    const { app } = await startSwaggerApp();
    const document = documentOf(app, '3.2.0');
    const text = JSON.stringify(document);
    expect(JSON.stringify(addSse(document, app))).toBe(text);
    expect(text).not.toContain('x-nestjs-sse-hub');
    const plain = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(JSON.stringify(plain)).not.toContain('x-nestjs-sse-hub');
  });
});

describe('an operation', () => {
  it('has the parameters by which a client resumes, where there is a history', async () => {
    const { app } = await startSwaggerApp();
    const operations = operationsOf(documentOf(app, '3.2.0'));
    const parametersOf = (name: string): string[] =>
      operations[name].parameters.map((one: Json) => `${one.in} ${one.name}`);
    expect(parametersOf('GET /api/orders/{id}/events')).toEqual([
      ...['path id', 'header Last-Event-ID', 'query lastEventId'],
    ]);
    const { app: other } = await startSseApp({ controllers: [OwnEvents] });
    const [operation] = Object.values(operationsOf(documentOf(other, '3.2.0')));
    expect([operation.parameters, statusesOf(operation)]).toEqual([[], ['200']]);
  });

  it('keeps what the application has declared of it', async () => {
    const { app } = await startSwaggerApp();
    const operations = operationsOf(documentOf(app, '3.2.0'));
    expect(operations['GET /api/orders/{id}/events'].summary).toBe('The life of an order');
    expect(operations['POST /api/orders/stock'].responses['204'].description).toBe('Sold out.');
    const { description, content } = operations['GET /api/orders/unknown'].responses['200'];
    expect([description, Object.keys(content)]).toEqual(['Anything.', ['text/event-stream']]);
    const { parameters } = operations['GET /api/orders/unknown'];
    expect(parameters.map((one: Json) => one.description)).toEqual(['Of the shop.', expect.any(String)]);
  });

  it('has the events of its channels, or any, and those of the package that it can have', async () => {
    const { app } = await startSwaggerApp();
    const document = documentOf(app, '3.2.0');
    expect(eventsOf(document, 'GET /api/orders/stock-route')).toEqual([
      ...['OrdersIdShippedEvent', 'OrdersIdCommentedEvent', 'OrdersIdNoteEvent', 'OrdersIdMessageEvent'],
      ...['OrdersIdClosedEvent', 'SsePositionEvent', 'SseGapEvent', 'SseErrorEvent'],
    ]);
    expect(eventsOf(document, 'GET /api/orders/unknown')).toEqual([
      ...['SseAnyEvent', 'SsePositionEvent', 'SseGapEvent', 'SseSnapshotEvent', 'SseDeniedEvent'],
      'SseErrorEvent',
    ]);
    expect(eventsOf(document, 'GET /orders/plain')).toEqual(['SseAnyEvent']);
  });

  it('has the statuses of refusals that can happen', async () => {
    const { app } = await startSwaggerApp();
    const { 'GET /api/orders/{id}/events': open } = operationsOf(documentOf(app, '3.2.0'));
    expect(statusesOf(open)).toEqual(['200', '204']);
    const { app: strict } = await startSwaggerApp({
      sse: {
        ...{ whenFull: 'refuse', limits: { connectionsPerKey: 1 }, unguarded: 'deny' },
        identify: () => undefined,
      },
    });
    const document = documentOf(strict, '3.2.0');
    const { 'GET /api/orders/{id}/events': refusing } = operationsOf(document);
    expect(statusesOf(refusing)).toEqual(['200', '204', '401', '403', '429', '503']);
    expect(Object.keys(refusing.responses['429'].headers)).toEqual(['Retry-After']);
    expect(eventsOf(document, 'GET /api/orders/{id}/events')).toContain('SseExpiredEvent');
  });

  it('of Nest’s own @Sse() is left alone where it is left to Nest', async () => {
    const { app } = await startSwaggerApp({ sse: { stockRoutes: 'leave' } });
    const { 'GET /api/orders/stock-route': left } = operationsOf(documentOf(app, '3.2.0'));
    expect(left.responses).toEqual({ 200: { description: '' } });
  });
});

describe('the ready endpoint', () => {
  it('has its query, its bodies and its answers, and the events of the channels that it may grant', async () => {
    const { app } = await startSwaggerApp();
    const document = documentOf(app, '3.2.0');
    const operations = operationsOf(document);
    const { 'GET /api/all': get, 'POST /api/all': post } = operations;
    const change = operations['POST /api/all/{connection}/channels'];
    expect(get.parameters.map(({ name }: Json) => name)).toEqual(['channel', 'Last-Event-ID', 'lastEventId']);
    expect(statusesOf(get)).toEqual(['200', '400', '403', '503']);
    expect(statusesOf(post)).toEqual(['200', '400', '403', '413', '415', '503']);
    expect(statusesOf(change)).toEqual(['200', '400', '404', '415', '429', '503']);
    expect(post.requestBody.content['application/json'].schema.required).toEqual(['channels']);
    expect(Object.keys(change.requestBody.content['application/json'].schema.properties)).toEqual([
      'join',
      'leave',
    ]);
    expect(eventsOf(document, 'POST /api/all')).toEqual([
      ...['RoomsRoomSaidEvent', 'RoomsRoomJoinEvent', 'RoomsRoomLeaveEvent', 'SseConnectionEvent'],
      ...['SsePositionEvent', 'SseGapEvent', 'SseSnapshotEvent', 'SseMembersEvent', 'SseDeniedEvent'],
      'SseErrorEvent',
    ]);
  });
});

describe('addSse() refuses', () => {
  const empty = () => ({ ...new DocumentBuilder().build(), paths: {} });

  it('an application without the module', async () => {
    const { app } = await startSseApp({ sse: false });
    expect(refusal(() => addSse(empty(), app))).toEqual(refused('MODULE_MISSING', /SseModule\.forRoot/));
  });

  it('a document of another version', async () => {
    const { app } = await startSseApp();
    const document = { ...empty(), openapi: '2.0' };
    expect(refusal(() => addSse(document, app))).toEqual(
      refused('INVALID_OPTIONS', /3\.0, 3\.1, 3\.2, not of 2\.0/),
    );
  });

  it('a definition that no module lists', async () => {
    const { app } = await startSseApp({ controllers: [Unlisted] });
    expect(refusal(() => documentOf(app, '3.2.0'))).toEqual(
      refused('INVALID_OPTIONS', /Unlisted\.events\(\).*"unlisted"/),
    );
  });

  it('what is no definition', () => {
    expect(refusal(() => ApiSse('orders/:id' as never))).toEqual(refused('INVALID_OPTIONS', /defineChannel/));
  });
});

@Controller('own')
class OwnEvents {
  @Sse()
  @ApiSse()
  events(): typeof NEVER {
    return NEVER;
  }
}

@Controller('unlisted')
class Unlisted {
  @Sse()
  @ApiSse(defineChannel('unlisted'))
  events(): typeof NEVER {
    return NEVER;
  }
}

it('warns once of a method with @ApiSse() that streams nothing', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  whenTestEnds(() => warn.mockRestore());
  @Controller('forgotten')
  class Forgetful {
    @Get()
    @ApiSse()
    events(): string {
      return '';
    }

    @Get('other')
    other(): string {
      return '';
    }
  }
  const { app } = await startSseApp({
    // The classes of this file's other applications are in no module.
    sse: { strictHandlers: false },
    controllers: [Forgetful],
    routes: { events: (hub) => hub.stream('a') },
  });
  warn.mockClear();
  for (let i = 0; i < 2; i++) documentOf(app, '3.1.0');
  expect(warn.mock.calls).toEqual([[expect.stringContaining('@ApiSse() of Forgetful.events() is without')]]);
});
