import type { BackplaneConfig } from './app.config.js';
import type { BackplaneFactory } from '../sse/index.js';

/**
 * The backplane that the configuration names. Memory is the library's default and needs no option. The others
 * are loaded on demand, because the packages they need are optional.
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
