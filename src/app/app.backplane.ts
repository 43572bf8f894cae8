import type { BackplaneConfig } from './app.config.js';
import type { BackplaneFactory } from '../sse/index.js';

/**
 * What the demo says about its backplane: nothing, for this process's memory. What another needs is loaded
 * only if it is asked for, for its packages are optional.
 */
export function backplaneOf(config: BackplaneConfig): { readonly backplane?: BackplaneFactory } {
  return config.kind === 'memory' ? {} : { backplane: factoryOf(config) };
}

function factoryOf(config: Exclude<BackplaneConfig, { readonly kind: 'memory' }>): BackplaneFactory {
  switch (config.kind) {
    case 'lmdb':
      return async (limits) => {
        const { lmdbBackplane } = await import('../sse/backplanes/lmdb/index.js');
        return lmdbBackplane({ path: config.path })(limits);
      };
    case 'redis':
      return async (limits) => {
        const { redisBackplane } = await import('../sse/backplanes/redis/index.js');
        return redisBackplane({ connection: { url: config.url } })(limits);
      };
    case 'nats':
      return async (limits) => {
        const { natsBackplane } = await import('../sse/backplanes/nats/index.js');
        return natsBackplane({ connection: { servers: config.url } })(limits);
      };
  }
}
