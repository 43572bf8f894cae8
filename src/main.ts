import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { ConfigError, readConfig } from './app/app.config.js';
import { AppModule } from './app.module.js';
import { configure, OPERATIONS, PAGES } from './app/app.setup.js';

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const app = await NestFactory.create<NestExpressApplication>(AppModule, new ExpressAdapter(), {
    logger: ['warn', 'error', 'fatal'],
  });
  configure(app, config);
  // Without these hooks a signal ends the process before the library has ended the open streams.
  app.enableShutdownHooks();
  await app.listen(config.port, config.host);

  const { port } = app.getHttpServer().address() as AddressInfo;
  const origin = `http://${hostInUrl(config.host)}:${port}`;
  console.log(
    [
      'nestjs-sse-hub demo',
      ...addresses(origin, PAGES),
      'for operators',
      ...addresses(origin, OPERATIONS),
    ].join('\n'),
  );
}

const addresses = (origin: string, paths: readonly string[]): string[] =>
  paths.map((path) => `  ${origin}${path}`);

/** A name for the address in a link: nobody can open `http://0.0.0.0` everywhere, and IPv6 needs brackets. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

start().catch((error: unknown) => {
  if (error instanceof ConfigError) console.error(`Cannot start: ${error.message}`);
  // Nest has logged already why it cannot listen (a port in use, an unknown address).
  else if (!(error instanceof Error && 'syscall' in error)) console.error(error);
  process.exit(1);
});
