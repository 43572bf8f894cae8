import { Logger } from '@nestjs/common';
import { afterAll, beforeAll } from '@jest/globals';
import type { BackplaneFactory } from '../../src/sse/index.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeBackplane } from './backplane.contract.js';

/** The promises of a backplane on a server, each on a way to it that can be cut. */
export function describeProxied(
  name: string,
  server: () => { readonly port: number },
  open: (port: number) => BackplaneFactory,
): void {
  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  describeBackplane(
    name,
    async () => {
      const proxy = await TcpProxy.to(server().port);
      const { backplane } = await open(proxy.port)(moduleSettings().limits);
      return {
        backplane,
        cutOff: () => proxy.refuse(),
        restore: () => proxy.mend(),
        dispose: () => proxy.close(),
      };
    },
    { beCutOff: true },
  );
}
