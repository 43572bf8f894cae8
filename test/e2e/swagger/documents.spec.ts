import { expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import { adapters } from '../../support/adapters.js';
import { untilConnections } from '../../support/sse-app.js';
import { deadReferences, faultsOf, schemasOf, streamOf, takes, type Json } from './open-api.js';
import { documentOf, Order, startSwaggerApp } from './swagger-app.js';

const VERSIONS = ['3.0.4', '3.1.2', '3.2.0'];

it.each(VERSIONS)('a document of OpenAPI %s is valid, and its references lead somewhere', async (version) => {
  const { app } = await startSwaggerApp();
  const document = documentOf(app, version);
  expect(await faultsOf(document)).toBeUndefined();
  expect(deadReferences(document)).toEqual([]);
});

it('a document of OpenAPI 3.2 says what the items of a stream are, and the validator would refuse nonsense there', async () => {
  const { app } = await startSwaggerApp();
  const document = documentOf(app, '3.2.0');
  const stream = streamOf(document, 'GET /api/orders/{id}/events');
  expect(stream.schema).toMatchObject({ type: 'array', items: stream.itemSchema });
  stream.itemSchema = 'nonsense';
  expect(await faultsOf(document)).toBeDefined();
});

it.each(['3.0.4', '3.1.2'])('one of OpenAPI %s has no items, which are of 3.2', async (version) => {
  const { app } = await startSwaggerApp();
  const stream = streamOf(documentOf(app, version), 'GET /api/orders/{id}/events');
  expect(Object.keys(stream)).toEqual(['schema']);
});

it.each(adapters)('is the same on %s', async (adapter) => {
  const { app } = await startSwaggerApp({ adapter });
  expect(Object.keys(documentOf(app, '3.2.0').paths)).toContain('/api/orders/{id}/events');
});

/** The events of a whole stream: each an object of the fields that it has, as a document sees it. */
function eventsIn(text: string): { event?: string; data: string }[] {
  const events: { event?: string; data: string }[] = [];
  createParser({ onEvent: (event) => events.push(JSON.parse(JSON.stringify(event))) }).feed(text);
  return events;
}

it('describes the events that a client gets', async () => {
  const { app, hub, url } = await startSwaggerApp();
  const document = documentOf(app, '3.2.0');
  const { itemSchema } = streamOf(document, 'GET /api/orders/{id}/events');
  const response = await fetch(`${url}/api/orders/7/events?lastEventId=nonsense`);
  await untilConnections(hub, 1);
  const channel = Order.of({ id: '7' });
  const sent: Json[] = [
    { type: 'shipped', data: { id: '7', weight: null, by: 'air' } },
    { type: 'commented', data: { comment: { text: 'a', replies: [{ text: 'b', replies: [] }] } } },
    { type: 'note', data: 'not "JSON"' },
    { data: 'text' },
    { type: 'message', data: { text: 'JSON' } },
    { type: 'closed' },
  ];
  for (const event of sent) await hub.publish(channel, event);
  await hub.complete(channel);
  const events = eventsIn(await response.text());
  expect(events.map(({ event }) => event)).toEqual([
    ...['gap', 'shipped', 'commented', 'note', undefined, 'message', 'closed'],
  ]);
  for (const event of events) expect([event, takes(document, itemSchema, event)]).toEqual([event, true]);
  for (const [type, name] of [
    ['shipped', 'OrdersIdShipped'],
    ['commented', 'OrdersIdCommented'],
    ['gap', 'SseGap'],
  ]) {
    const { data } = events.find(({ event }) => event === type)!;
    const { contentMediaType, contentSchema } = schemasOf(document)[`${name}Event`].properties.data;
    expect(contentMediaType).toBe('application/json');
    expect(takes(document, contentSchema, JSON.parse(data))).toBe(true);
    expect(takes(document, contentSchema, { another: 'value' })).toBe(false);
  }
  // And no others.
  expect(takes(document, itemSchema, { event: 'sold', data: '{}' })).toBe(false);
  expect(takes(document, itemSchema, { event: 'closed', data: 'more' })).toBe(false);
});
