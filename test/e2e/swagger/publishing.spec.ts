import { expect, it } from '@jest/globals';
import * as z from 'zod';
import { SsePublishModule } from '../../../src/sse/http-publishing/index.js';
import { defineChannel, SseModule, type } from '../../../src/sse/index.js';
import { startSseApp, type SseApp, type SseAppOptions } from '../../support/sse-app.js';
import { refusal, refused } from '../../unit/refusal.js';
import { deadReferences, faultsOf, operationsOf, schemasOf, takes, type Json } from './open-api.js';
import { documentOf, Order, startSwaggerApp } from './swagger-app.js';

const bodyOf = (operation: Json): Json => operation.requestBody.content['application/json'].schema;
const statusesOf = (operation: Json): string[] => Object.keys(operation.responses);
const namesIn = (schemas: { $ref: string }[]): string[] =>
  schemas.map(({ $ref }) => $ref.replace('#/components/schemas/', ''));

/** An application with a route of publishing, and no other. */
const startPublishing = (
  definitions: ReturnType<typeof defineChannel>[],
  channels?: 'all' | ReturnType<typeof defineChannel>[],
  sse: NonNullable<SseAppOptions['sse']> = {},
): Promise<SseApp> =>
  startSseApp({
    sse,
    imports: [
      SseModule.forFeature(definitions),
      SsePublishModule.forRoot({ path: 'publish', guards: 'none', ...(channels && { channels }) }),
    ],
  });

it('a route of publishing has its body, the header of a key, and its answers', async () => {
  const { app } = await startSwaggerApp();
  const document = documentOf(app, '3.2.0');
  const { 'POST /api/publish': all, 'POST /api/orders/publish': some } = operationsOf(document);
  expect([all.summary, all.parameters.map((one: Json) => `${one.in} ${one.name}`)]).toEqual([
    'Publish events',
    ['header Idempotency-Key'],
  ]);
  const statuses = ['201', '207', '400', '403', '409', '413', '415', '422', '503'];
  expect([statusesOf(all), statusesOf(some)]).toEqual([statuses, statuses]);
  expect(Object.keys(all.responses['503'].headers)).toEqual(['Retry-After']);
  expect(namesIn(bodyOf(all).oneOf)).toEqual([
    ...['SsePublication', 'SsePublicationCopies', 'SsePublicationBatch'],
  ]);
  const { SsePublication: publication, SsePublicationCopies: copies } = schemasOf(document);
  expect(namesIn(publication.oneOf)).toEqual([
    ...['Shipped', 'Commented', 'Note', 'Message', 'Closed'].map((name) => `OrdersId${name}Publication`),
    ...['StockArticleCountedPublication', 'StockArticleMovedPublication', 'RoomsRoomSaidPublication'],
    ...['NewsPublication', 'InternalOrdersRunPublication'],
  ]);
  expect(namesIn(copies.properties.channels.items.oneOf)).toHaveLength(5);
  expect(copies.additionalProperties).toBe(false);
  // The routes are told apart.
  expect(all.operationId).not.toBe(some.operationId);
  const { oneOf } = schemasOf(document)[namesIn(bodyOf(some).oneOf)[0] ?? ''];
  expect(namesIn(oneOf).every((name) => name.startsWith('OrdersId'))).toBe(true);
});

it('its body is what the route takes', async () => {
  const { app, url } = await startSwaggerApp();
  const document = documentOf(app, '3.2.0');
  const body = bodyOf(operationsOf(document)['POST /api/orders/publish']);
  const shipped = { type: 'shipped', data: { id: '7', weight: null, by: 'air' } };
  const note = { channel: 'orders/7', type: 'note', data: 'a' };
  const bodies: [body: object, status: number][] = [
    [{ channel: 'orders/7', ...shipped }, 201],
    [{ channel: 'orders/7', data: 'a message', retry: 5, comment: 'c' }, 201],
    [{ channel: 'orders/7', type: 'closed' }, 201],
    [{ channels: ['orders/7', 'orders/a%20b'], ...shipped }, 201],
    [{ events: [note, { channel: 'orders/8', ...shipped }] }, 201],
    [{}, 400],
    [{ channel: 'orders/7' }, 400],
    [{ channel: 'orders/7', type: 'sold', data: 1 }, 400],
    [{ channel: 'orders/7', type: 'shipped' }, 400],
    [{ channel: 'orders/7', type: 'shipped', data: { id: '7' } }, 400],
    [{ channel: 'orders/7', type: 'closed', data: 'more' }, 400],
    [{ ...note, id: '1' }, 400],
    [{ ...note, to: 'all' }, 400],
    [{ ...note, retry: -1 }, 400],
    [{ channel: 'news', data: 1 }, 403],
    [{ channel: 'orders/7/more', ...shipped }, 403],
    [{ channels: [], ...shipped }, 400],
    [{ channels: Array.from({ length: 17 }, (_, index) => `orders/${index}`), ...shipped }, 400],
    [{ channels: ['orders/7'], type: 'shipped', data: 1 }, 400],
    [{ events: [] }, 400],
    [{ events: [note, { ...note, data: 1 }] }, 400],
    [{ events: Array.from({ length: 1_001 }, () => note) }, 413],
  ];
  for (const [sent, status] of bodies) {
    const response = await fetch(`${url}/api/orders/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(sent),
    });
    expect([sent, response.status]).toEqual([sent, status]);
    expect([sent, takes(document, body, sent)]).toEqual([sent, status === 201]);
    if (status !== 201) continue;
    const answer: unknown = await response.json();
    const { schema } =
      operationsOf(document)['POST /api/orders/publish'].responses[201].content['application/json'];
    expect([answer, takes(document, schema, answer)]).toEqual([answer, true]);
  }
});

it('data is the input of a schema, and may be left out where the schema takes nothing', async () => {
  const made = z.string().transform(Number);
  const late = {
    '~standard': { version: 1 as const, vendor: 'own', validate: () => Promise.reject(new Error()) },
  };
  const Made = defineChannel('made', {
    events: {
      made,
      given: z.number().default(1),
      told: type<string>(),
      late,
    },
    history: 0,
  });
  const { app } = await startPublishing([Made]);
  const schemas = schemasOf(documentOf(app, '3.2.0'));
  expect(schemas['MadeMadeInput']).toEqual({ type: 'string' });
  const requiredOf = (name: string): string[] => schemas[`Made${name}Publication`].required;
  expect(['Made', 'Given', 'Told', 'Late'].map(requiredOf)).toEqual([
    ['channel', 'type', 'data'],
    ['channel', 'type'],
    ['channel', 'type'],
    ['channel', 'type'],
  ]);
  // An id of one's own is for channels without history.
  expect(schemas['MadeMadePublication'].properties).toHaveProperty('id');
  expect(schemas['MadeMadePublication'].properties.channel).toEqual({
    $ref: '#/components/schemas/MadeChannel',
  });
  expect(schemas['MadeChannel']).toMatchObject({ type: 'string', const: 'made' });
});

it('events of members are of the package, and not to be published', async () => {
  const Room = defineChannel('rooms/:room', {
    events: { said: type<string>(), join: type<object>() },
    presence: { events: true },
  });
  const { app } = await startPublishing([Room]);
  expect(namesIn(schemasOf(documentOf(app, '3.2.0'))['SsePublication'].oneOf)).toEqual([
    'RoomsRoomSaidPublication',
  ]);
});

it.each(['3.0.4', '3.1.2', '3.2.0'])(
  'a channel is of one definition, in a document of OpenAPI %s too',
  async (version) => {
    const { app } = await startPublishing([defineChannel('a.b/first'), defineChannel('a.b/:c')], 'all');
    const document = documentOf(app, version);
    expect(await faultsOf(document)).toBeUndefined();
    expect(deadReferences(document)).toEqual([]);
    const { SseOtherChannel: other, AB_CChannel: _, ...schemas } = schemasOf(document);
    const first = version === '3.0.4' ? { enum: ['a.b/first'] } : { const: 'a.b/first' };
    const rest = { pattern: String.raw`^a\.b/[^/]+$`, maxLength: 200 };
    expect(schemas['ABCChannel']).toMatchObject({ ...rest, not: { anyOf: [first] } });
    expect(other).toMatchObject({ type: 'string', not: { anyOf: [first, rest] } });
    expect(statusesOf(operationsOf(document)['POST /publish'])).not.toContain('403');
  },
);

it('any channel is of a definition where all have to be', async () => {
  const { app } = await startPublishing([Order as never], 'all', { strictChannels: true });
  expect(schemasOf(documentOf(app, '3.2.0'))).not.toHaveProperty('SseOtherChannel');
});

it('a route that refuses every channel has no body', async () => {
  const { app } = await startPublishing([]);
  const document = documentOf(app, '3.1.2');
  expect(operationsOf(document)['POST /publish']).not.toHaveProperty('requestBody');
  expect(await faultsOf(document)).toBeUndefined();
});

it('addSse() refuses a route with a definition that no module lists, before the application starts', async () => {
  const channels = [defineChannel('unlisted')];
  const refusals: unknown[] = [];
  const starting = startSseApp({
    sse: { strictHandlers: false },
    imports: [SsePublishModule.forRoot({ path: 'publish', guards: 'none', channels })],
    configure: (app) => refusals.push(refusal(() => documentOf(app, '3.2.0'))),
  });
  const expected = refused('INVALID_OPTIONS', /"channels" of SsePublishModule.*"unlisted"/);
  await expect(starting).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  expect(refusals).toEqual([expected]);
});
