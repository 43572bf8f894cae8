import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { HttpAdapterHost } from '@nestjs/core';

/** The server of an application that hands out its sockets. HTTP/2 does not, and a process without HTTP has no adapter. */
export function httpServerOf(adapterHost: HttpAdapterHost): HttpServer | HttpsServer | undefined {
  const adapter = adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
  const server: unknown = adapter?.getHttpServer();
  return server instanceof HttpServer || server instanceof HttpsServer ? server : undefined;
}
