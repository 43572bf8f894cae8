import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { listen } from '../../support/open-stream.js';
import { bootApp, type BootedApp } from './booted-app.js';

let booted: BootedApp;

beforeEach(async () => {
  booted = await bootApp();
});
afterEach(() => booted.app.close());

it('the demo serves its metrics to Prometheus', async () => {
  await listen(`${booted.url}/chat/rooms/lobby/messages?name=Ada`);
  const response = await fetch(`${booted.url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const text = await response.text();
  expect(text).toContain('\nsse_connections_active 1\n');
  expect(text).toContain('\nsse_connections_opened_total{start="new"} 1\n');
  expect(text).toMatch(/\nsse_subscribers\{definition="chat\/[^"]*:room[^"]*"\} \d+\n/);
});
