/** What the environment says about how the demo runs. */
export interface AppConfig {
  /** Address to listen on. `HOST`, default `127.0.0.1`: nobody else's computer; a container needs `0.0.0.0`. */
  readonly host: string;
  /** Port to listen on. `PORT`, default 3000; 0 takes any free one. */
  readonly port: number;
  /** Origins whose pages may call this server. `CORS_ORIGIN`, separated by commas; none by default. */
  readonly corsOrigins: readonly string[];
}

/** A setting that cannot be used. Its message names the variable and says what it should be. */
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
  };
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
    // Browsers send an origin in exactly this form, so another (a path, a trailing slash, a wildcard, which
    // credentials forbid anyhow) would silently never match.
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new ConfigError(
        `CORS_ORIGIN must list origins such as https://app.example:8443, not "${origin}"`,
      );
    }
  }
  return origins;
}
