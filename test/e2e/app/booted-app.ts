import type { AddressInfo } from 'node:net';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../../src/app.module.js';
import { configure } from '../../../src/app/app.setup.js';
import { SseHub } from '../../../src/sse/index.js';

export interface BootedApp {
  readonly app: NestExpressApplication;
  readonly hub: SseHub;
  /** Where it listens, without a slash at the end. */
  readonly url: string;
}

interface BootOptions {
  readonly corsOrigins?: readonly string[];
  /** Variables of the environment, while it starts. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The demo as `main.ts` makes it, in this process and on a free port. */
export async function bootApp({ corsOrigins = [], env = {} }: BootOptions = {}): Promise<BootedApp> {
  Object.assign(process.env, env);
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .compile()
    .finally(() => {
      for (const name of Object.keys(env)) Reflect.deleteProperty(process.env, name);
    });
  const app = module.createNestApplication<NestExpressApplication>(new ExpressAdapter(), { logger: false });
  configure(app, { corsOrigins });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, hub: app.get(SseHub), url: `http://127.0.0.1:${port}` };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Sends JSON and reads the answer as JSON. A string is sent as it is, so it may be no JSON at all. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, { headers });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
