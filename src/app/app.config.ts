/** The demo's configuration, read from environment variables. */
export interface AppConfig {
  /** Address to listen on. `HOST`, default `127.0.0.1`, which only this machine reaches; a container needs `0.0.0.0`. */
  readonly host: string;
  /** Port to listen on. `PORT`, default 3000; 0 takes any free one. */
  readonly port: number;
  /** Origins whose pages may call this server. `CORS_ORIGIN`, separated by commas; none by default. */
  readonly corsOrigins: readonly string[];
  /** The backplane, which keeps the logs of the channels. `SSE_BACKPLANE`, default `memory`. */
  readonly backplane: BackplaneConfig;
  /** Password of the chat's room `staff`. `CHAT_PASSWORD`; without it nobody can enter. */
  readonly chatPassword?: string;
  /** Key with which other services publish notifications by `POST /publish`. `PUBLISH_KEY`; without it nobody can. */
  readonly publishKey?: string;
  /** Password of `/inspector`. `INSPECTOR_PASSWORD`; without it only this machine gets in. */
  readonly inspectorPassword?: string;
}

export type BackplaneConfig =
  | { readonly kind: 'memory' }
  /** Folder of the logs. `SSE_DATA_DIR`, default `data`; created if it does not exist. */
  | { readonly kind: 'lmdb'; readonly path: string }
  /** `REDIS_URL`, default `redis://127.0.0.1:6379`. */
  | { readonly kind: 'redis'; readonly url: string }
  /** `NATS_URL`, default `nats://127.0.0.1:4222`. */
  | { readonly kind: 'nats'; readonly url: string };

/** An invalid setting. The message names the variable and says what it should be. */
export class ConfigError extends Error {}

/**
 * Reads and checks the environment. An empty variable counts as not set.
 *
 * @throws ConfigError
 */
export function readConfig(env: NodeJS.ProcessEnv): AppConfig {
  return {
    host: env['HOST'] || '127.0.0.1',
    port: readPort(env['PORT'] || '3000'),
    corsOrigins: readOrigins(env['CORS_ORIGIN'] ?? ''),
    backplane: readBackplane(env),
    ...(env['CHAT_PASSWORD'] && { chatPassword: env['CHAT_PASSWORD'] }),
    ...(env['PUBLISH_KEY'] && { publishKey: env['PUBLISH_KEY'] }),
    ...(env['INSPECTOR_PASSWORD'] && { inspectorPassword: env['INSPECTOR_PASSWORD'] }),
  };
}

function readBackplane(env: NodeJS.ProcessEnv): BackplaneConfig {
  const kind = env['SSE_BACKPLANE'] || 'memory';
  switch (kind) {
    case 'memory':
      return { kind };
    case 'lmdb':
      return { kind, path: env['SSE_DATA_DIR'] || 'data' };
    case 'redis':
      return { kind, url: readUrl('REDIS_URL', env, 'redis://127.0.0.1:6379') };
    case 'nats':
      return { kind, url: readUrl('NATS_URL', env, 'nats://127.0.0.1:4222') };
    default:
      throw new ConfigError(`SSE_BACKPLANE must be memory, lmdb, redis or nats, not "${kind}"`);
  }
}

function readUrl(variable: string, env: NodeJS.ProcessEnv, fallback: string): string {
  const url = env[variable] || fallback;
  if (!URL.canParse(url))
    throw new ConfigError(`${variable} must be a URL such as ${fallback}, not "${url}"`);
  return url;
}

function readPort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : NaN;
  if (!(port <= 65_535)) {
    throw new ConfigError(`PORT must be a whole number from 0 to 65535, not "${value}"`);
  }
  return port;
}

function readOrigins(value: string): string[] {
  const origins = value
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  for (const origin of origins) {
    // Browsers send an origin in exactly this form. Any other (a path, a trailing slash, a wildcard, which
    // credentials forbid anyhow) would never match, and nobody would be told.
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new ConfigError(
        `CORS_ORIGIN must list origins such as https://app.example:8443, not "${origin}"`,
      );
    }
  }
  return origins;
}
