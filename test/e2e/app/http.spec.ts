import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { OPERATIONS, PAGES } from '../../../src/app/app.setup.js';
import { bootApp, get, post, type BootedApp } from './booted-app.js';

let booted: BootedApp;
beforeAll(async () => {
  booted = await bootApp({ corsOrigins: ['https://app.example', 'http://localhost:5173'] });
});
afterAll(() => booted.app.close());

/** The status of a path exactly as it is written; fetch would tidy it up first. */
function statusOf(path: string): Promise<number | undefined> {
  const { hostname, port } = new URL(booted.url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path }, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
  });
}

const importMapOf = (html: string) => /<script type="importmap">(.*?)<\/script>/s.exec(html)?.[1];

describe('pages', () => {
  it.each(PAGES)('%s is a page', async (path) => {
    const response = await fetch(booted.url + path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await response.text()).toMatch(/^<!doctype html>/);
  });

  it('every page leads to all others', async () => {
    for (const from of PAGES) {
      const html = await (await fetch(booted.url + from)).text();
      for (const path of PAGES) expect(html).toContain(`href="${path}"`);
    }
  });

  it('the home page leads to what operators look at', async () => {
    const html = await (await fetch(booted.url)).text();
    for (const path of OPERATIONS) expect(html).toContain(`href="${path}"`);
  });

  it.each(PAGES)('everything that %s asks for is there', async (path) => {
    const html = await (await fetch(booted.url + path)).text();
    const { imports = {} } = JSON.parse(importMapOf(html) ?? '{}');
    const files = new Set([...html.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map((match) => match[1]!));
    // A file that an imported one imports is asked for, too.
    for (const file of files) {
      const response = await fetch(booted.url + file);
      expect({ file, status: response.status }).toEqual({ file, status: 200 });
      if (!file.endsWith('.js')) continue;
      expect(response.headers.get('content-type')).toMatch(/^text\/javascript/);
      for (const [, name = ''] of (await response.text()).matchAll(
        /^(?:import|export|\}) .*from ['"](.+)['"];$/gm,
      ))
        files.add(new URL(imports[name] ?? name, booted.url + file).pathname);
    }
  });
});

describe('other paths', () => {
  it.each(['live', 'ready'])('/health/%s is 200, with the health of the hub', async (probe) => {
    const body = { status: 'ok', info: { sse: { status: 'up' } } };
    expect(await get(`${booted.url}/health/${probe}`)).toMatchObject({ status: 200, body });
  });

  it('an unknown path is 404, in JSON', async () => {
    const { status, body } = await get(`${booted.url}/nope`);
    expect(status).toBe(404);
    expect(body).toMatchObject({ statusCode: 404, message: 'Cannot GET /nope' });
  });

  it('whatever else is asked for is 404', async () => {
    const cases = [
      '/public',
      '/chat/public/chat.html',
      '/chat/',
      '/chat.html/',
      '/chat.html/more',
      '/chat.module.js',
      '/chat.service.ts',
      '/chat/rooms',
      '/chat/rooms/lobby',
      '/broadcast/events/1',
      '/ticker/quotes/ONYX',
      '/vendor',
      '/vendor/uplot',
      '/vendor/uplot/',
      '/vendor/uplot/package.json',
      '/vendor/uplot/../../../package.json',
      '/..%2fapp.module.js',
      '/%2e%2e/package.json',
      '/.env',
      '/%00',
      '/chat%00.html',
      '/%',
      '/%E0%A4%A',
      `/${'long/'.repeat(1_000)}`,
      `/${'x'.repeat(5_000)}`,
    ];
    for (const path of cases) {
      expect(await statusOf(path)).toBe(404);
    }
  });

  it('a method that a path does not have is 404', async () => {
    expect((await post(`${booted.url}/chat`, {})).status).toBe(404);
    expect((await fetch(`${booted.url}/broadcast/clients`, { method: 'DELETE' })).status).toBe(404);
  });
});

describe('security headers', () => {
  it('every answer has them', async () => {
    for (const path of ['/', '/chat.js', '/health/live', '/nope', '/ticker/quotes?symbols=NOPE']) {
      const { headers } = await fetch(booted.url + path);
      expect(headers.get('content-security-policy')?.split(';')).toEqual([
        "default-src 'none'",
        expect.stringMatching(/^script-src 'self' 'sha256-\S+'$/),
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
      ]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.has('strict-transport-security')).toBe(false);
      expect(headers.has('x-powered-by')).toBe(false);
    }
  });

  it('the policy lets the import map of every page run', async () => {
    for (const path of PAGES) {
      const response = await fetch(booted.url + path);
      const map = importMapOf(await response.text());
      if (path === '/') continue; // it imports nothing
      const hash = createHash('sha256').update(map!).digest('base64');
      expect(response.headers.get('content-security-policy')).toContain(`'sha256-${hash}'`);
    }
  });

  it('a stream has them too', async () => {
    const response = await fetch(`${booted.url}/ticker/time`);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    await response.body?.cancel();
  });
});

describe('CORS', () => {
  const preflight = (origin: string, path: string): Promise<Response> =>
    fetch(booted.url + path, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'last-event-id',
      },
    });

  it.each(['https://app.example', 'http://localhost:5173'])(
    '%s may resume with fetch, with credentials',
    async (origin) => {
      const { headers, ok } = await preflight(origin, '/chat/rooms/lobby/messages');
      expect(ok).toBe(true);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('access-control-allow-headers')).toMatch(/\bLast-Event-ID\b/);
      expect(headers.get('access-control-allow-headers')).toMatch(/\bContent-Type\b/);
    },
  );

  it('a stream says so as well', async () => {
    const response = await fetch(`${booted.url}/ticker/time`, { headers: { Origin: 'https://app.example' } });
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(response.headers.get('access-control-allow-credentials')).toBe('true');
    expect(response.headers.get('vary')).toMatch(/\bOrigin\b/);
    await response.body?.cancel();
  });

  it('others may not', async () => {
    const { headers } = await preflight('https://evil.example', '/chat/rooms/lobby/messages');
    expect(headers.has('access-control-allow-origin')).toBe(false);
  });

  it('is off when nothing is configured', async () => {
    const closed = await bootApp();
    const { headers } = await get(`${closed.url}/health/live`, { Origin: 'https://app.example' });
    expect(headers.has('access-control-allow-origin')).toBe(false);
    await closed.app.close();
  });

  it("a form on somebody else's site cannot post, one of a listed origin can", async () => {
    const from = (origin: string) =>
      post(
        `${booted.url}/broadcast/events`,
        { data: 'x' },
        { Origin: origin, 'Sec-Fetch-Site': 'cross-site' },
      );
    expect((await from('https://evil.example')).status).toBe(403);
    expect((await from('https://app.example')).status).toBe(202);
  });
});
