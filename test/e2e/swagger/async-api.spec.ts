import { Logger } from '@nestjs/common';
import { expect, it, jest } from '@jest/globals';
import { Parser } from '@asyncapi/parser';
import * as z from 'zod';
import { defineChannel, SseModule, type } from '../../../src/sse/index.js';
import { asyncApiDocument } from '../../../src/sse/swagger/index.js';
import { startSseApp } from '../../support/sse-app.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { refusal, refused } from '../../unit/refusal.js';
import { deadReferences, type Json } from './open-api.js';
import { documentOf, News, Order, startSwaggerApp } from './swagger-app.js';

/** What is more than a hint. */
const faultsIn = (diagnostics: readonly { readonly severity: number }[]): object[] =>
  diagnostics.filter(({ severity }) => severity < 2);

const info = { title: 'Orders', version: '1' };

it('an AsyncAPI document has a channel for each definition, its messages and where it is streamed', async () => {
  const { app } = await startSwaggerApp();
  const document: Json = asyncApiDocument(app, {
    info,
    servers: { local: { host: 'localhost:3000', protocol: 'http' } },
  });
  const { document: parsed, diagnostics } = await new Parser().parse(document);
  expect(faultsIn(diagnostics)).toEqual([]);
  expect(
    parsed
      ?.channels()
      .all()
      .map((channel) => channel.address()),
  ).toEqual([...['orders/{id}', 'stock/{article}', 'rooms/{room}', 'news', 'internal/orders']]);
  expect(document.channels.OrdersId).toEqual({
    address: 'orders/{id}',
    description: 'Streamed by `GET /api/orders/{id}/events`, `GET /api/orders/stock-route`.',
    parameters: { id: { description: 'A segment of the name, percent-encoded.' } },
    messages: expect.objectContaining({ shipped: { $ref: '#/components/messages/OrdersIdShipped' } }),
  });
  expect(Object.keys(document.channels.RoomsRoom.messages)).toEqual([
    ...['said', 'join', 'leave', 'gap', 'snapshot', 'members', 'denied'],
  ]);
  expect(document.operations.sendOrdersId).toMatchObject({
    action: 'send',
    messages: expect.arrayContaining([{ $ref: '#/channels/OrdersId/messages/shipped' }]),
  });
  const { messages, schemas } = document.components;
  expect(messages.OrdersIdNote).toEqual({
    ...{ name: 'note', contentType: 'text/plain' },
    payload: { $ref: '#/components/schemas/OrdersIdNoteData' },
  });
  expect(messages.OrdersIdClosed).toEqual({ name: 'closed' });
  expect(messages.NewsAny).toEqual({ name: 'any', payload: {} });
  // The dialect of AsyncAPI is draft 07.
  expect(schemas.OrdersIdShippedData.properties.by).toEqual({ type: 'string', const: 'air' });
  expect(deadReferences(document)).toEqual([]);
});

it('may be of some definitions, and of none that no module lists', async () => {
  const { app } = await startSwaggerApp();
  expect(Object.keys(asyncApiDocument(app, { info, channels: [News] }).channels)).toEqual(['News']);
  const unlisted = defineChannel('unlisted');
  expect(refusal(() => asyncApiDocument(app, { info, channels: [Order, unlisted] }))).toEqual(
    refused('INVALID_OPTIONS', /"channels".*"unlisted"/),
  );
});

it('tells channels and types apart whose names are alike', async () => {
  const alike = [defineChannel('a/b', { events: { 'x/y~z %': type<string>() } }), defineChannel('a-b')];
  const { app } = await startSseApp({ imports: [SseModule.forFeature(alike)] });
  const document = asyncApiDocument(app, { info });
  expect(Object.keys(document.channels)).toEqual(['AB', 'AB_2']);
  const { diagnostics } = await new Parser().parse(document as Json);
  expect(faultsIn(diagnostics)).toEqual([]);
});

it('types of events without a JSON Schema are any data, which is logged once for all documents', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  whenTestEnds(() => warn.mockRestore());
  const Mixed = defineChannel('mixed/:id', {
    events: { known: z.number(), told: type<string>(), made: z.string().transform(Number) },
  });
  const { app } = await startSseApp({
    imports: [SseModule.forFeature([Mixed])],
    routes: { mixed: (hub) => hub.stream(Mixed.of({ id: '1' })) },
  });
  warn.mockClear();
  const document: Json = asyncApiDocument(app, { info });
  expect(document.components.messages.MixedIdTold.payload).toEqual({});
  expect(document.components.messages.MixedIdMade.payload).toEqual({});
  asyncApiDocument(app, { info });
  documentOf(app, '3.2.0');
  expect(warn.mock.calls).toEqual([
    [
      expect.stringMatching(
        /"told" of mixed\/:id; "made" of mixed\/:id \(Transforms cannot be represented in JSON Schema\)\. Give/,
      ),
    ],
  ]);
});
