import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bootApp, type BootedApp } from './booted-app.js';

/** The status for a browser that has called the server by this name. */
const statusFor = (url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const sent = request(`${url}/inspector/api/settings`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end();
  });

describe('the inspector of the demo', () => {
  let booted: BootedApp;
  beforeAll(async () => {
    booted = await bootApp();
  });
  afterAll(() => booted.app.close());

  it('is for who sits at this machine', async () => {
    const page = await fetch(`${booted.url}/inspector`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("form-action 'none'");
    expect(await statusFor(booted.url, {})).toBe(200);
    expect(await statusFor(booted.url, { host: 'attacker.example' })).toBe(403);
    expect(await statusFor(booted.url, { 'x-forwarded-for': '203.0.113.7' })).toBe(403);
  });
});

describe('the inspector of the demo with a password', () => {
  let booted: BootedApp;
  beforeAll(async () => {
    booted = await bootApp({ env: { INSPECTOR_PASSWORD: 'sesame' } });
  });
  afterAll(() => booted.app.close());

  it('is for who knows it', async () => {
    const basic = (text: string): Record<string, string> => ({
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    });
    expect((await fetch(`${booted.url}/inspector`)).headers.get('www-authenticate')).toContain('Basic');
    expect(await statusFor(booted.url, {})).toBe(401);
    expect(await statusFor(booted.url, basic('ada:wrong'))).toBe(401);
    expect(await statusFor(booted.url, basic('ada:sesame'))).toBe(200);
  });
});
