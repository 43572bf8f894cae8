import { Logger } from '@nestjs/common';
import { SwaggerModule } from '@nestjs/swagger';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Parser } from '@asyncapi/parser';
import { bootApp, get, type BootedApp } from './booted-app.js';
import { deadReferences, eventsOf, faultsOf, operationsOf, type Json } from '../swagger/open-api.js';

const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
let booted: BootedApp;
beforeAll(async () => {
  booted = await bootApp();
});
afterAll(async () => {
  await booted.app.close();
  warn.mockRestore();
});

const bodyOf = async (path: string): Promise<Json> => (await get(booted.url + path)).body;

it('/docs-json is a valid document of OpenAPI 3.2, with a summary of every operation', async () => {
  const document = await bodyOf('/docs-json');
  expect(document.openapi).toBe('3.2.0');
  expect(await faultsOf(document)).toBeUndefined();
  expect(deadReferences(document)).toEqual([]);
  const operations = Object.entries(operationsOf(document));
  expect(operations.filter(([, { summary }]) => !summary).map(([name]) => name)).toEqual([]);
  expect(operations.map(([name]) => name).filter((name) => /inspector|metrics/.test(name))).toEqual([]);
});

it('it has the events of each stream, and a schema for all data', async () => {
  const document = await bodyOf('/docs-json');
  expect(eventsOf(document, 'GET /chat/rooms/{room}/messages')).toEqual([
    ...['ChatRoomMessageEvent', 'ChatRoomPeopleJoinEvent', 'ChatRoomPeopleLeaveEvent'],
    ...['ChatRoomPeopleTypingEvent', 'SsePositionEvent', 'SseGapEvent', 'SseDeniedEvent', 'SseExpiredEvent'],
    'SseErrorEvent',
  ]);
  expect(eventsOf(document, 'GET /notifications/{user}/events')).toContain('SseSnapshotEvent');
  await bodyOf('/docs/asyncapi.json');
  expect(warn.mock.calls).toEqual([]);
});

it('/docs/asyncapi.json is a valid document of AsyncAPI', async () => {
  const { document, diagnostics } = await new Parser().parse(await bodyOf('/docs/asyncapi.json'));
  const severities: number[] = diagnostics.map(({ severity }) => severity);
  expect(severities.filter((severity) => severity < 2)).toEqual([]);
  const addresses = document
    ?.channels()
    .all()
    .map((channel) => channel.address());
  expect(addresses).toEqual(expect.arrayContaining(['chat/{room}', 'quotes/{symbol}', 'broadcast']));
});

it('/docs allows inline styles, and nothing else that other pages do not', async () => {
  const policyOf = async (path: string): Promise<string> =>
    // Its own connection: the server closes one that has idled for five seconds, as on a busy machine.
    (await fetch(booted.url + path, { headers: { connection: 'close' } })).headers.get(
      'content-security-policy',
    ) ?? '';
  const policy = await policyOf('/');
  for (const path of ['/docs', '/docs/', '/docs/swagger-ui.css'])
    expect(await policyOf(path)).toBe(policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"));
  expect(await policyOf('/docs-json')).toBe(policy);
});

it('the documents are made once, however often strangers ask for them', async () => {
  const paths = ['/docs-json', '/docs/asyncapi.json'];
  for (const path of paths) await bodyOf(path);
  const making = jest.spyOn(SwaggerModule, 'createDocument');
  for (const path of paths) await bodyOf(path);
  expect(making).not.toHaveBeenCalled();
  making.mockRestore();
});
