import { describe, expect, it } from '@jest/globals';
import { ConfigError, readConfig } from '../../src/app/app.config.js';

describe('readConfig', () => {
  it('has a default for everything, which an empty variable is taken for, too', () => {
    const defaults = { host: '127.0.0.1', port: 3_000, corsOrigins: [], backplane: { kind: 'memory' } };
    expect(readConfig({})).toEqual(defaults);
    const empty = { HOST: '', PORT: '', CORS_ORIGIN: '', SSE_BACKPLANE: '', CHAT_PASSWORD: '' };
    expect(readConfig(empty)).toEqual(defaults);
  });

  it('takes the password of the chat and the key of publishers as they are', () => {
    expect(readConfig({ CHAT_PASSWORD: ' open sesame ' }).chatPassword).toBe(' open sesame ');
    expect(readConfig({ PUBLISH_KEY: ' secret ' }).publishKey).toBe(' secret ');
  });

  it('reads the backplane, and where it is', () => {
    const cases = [
      [{ SSE_BACKPLANE: 'lmdb' }, { kind: 'lmdb', path: 'data' }],
      [
        { SSE_BACKPLANE: 'lmdb', SSE_DATA_DIR: '/var/lib/sse' },
        { kind: 'lmdb', path: '/var/lib/sse' },
      ],
      [{ SSE_BACKPLANE: 'redis' }, { kind: 'redis', url: 'redis://127.0.0.1:6379' }],
      [
        { SSE_BACKPLANE: 'redis', REDIS_URL: 'rediss://me:pw@r:1/2' },
        { kind: 'redis', url: 'rediss://me:pw@r:1/2' },
      ],
      [{ SSE_BACKPLANE: 'nats' }, { kind: 'nats', url: 'nats://127.0.0.1:4222' }],
      [
        { SSE_BACKPLANE: 'nats', NATS_URL: 'tls://n:4222' },
        { kind: 'nats', url: 'tls://n:4222' },
      ],
    ] as const;
    for (const [env, backplane] of cases) {
      expect(readConfig(env).backplane).toEqual(backplane);
    }
  });

  it('does not look at what the chosen backplane does not need', () => {
    const env = { REDIS_URL: 'nonsense', NATS_URL: 'nonsense', SSE_DATA_DIR: 'x' };
    expect(readConfig(env).backplane).toEqual({ kind: 'memory' });
  });

  it('refuses what it cannot use, by the name of the variable', () => {
    const origins = 'origins such as https://app.example:8443';
    const cases = [
      [{ SSE_BACKPLANE: 'Redis' }, 'SSE_BACKPLANE must be memory, lmdb, redis or nats, not "Redis"'],
      [{ SSE_BACKPLANE: 'etcd' }, 'SSE_BACKPLANE must be memory, lmdb, redis or nats, not "etcd"'],
      [
        { SSE_BACKPLANE: 'redis', REDIS_URL: 'localhost' },
        'REDIS_URL must be a URL such as redis://127.0.0.1:6379, not "localhost"',
      ],
      [
        { SSE_BACKPLANE: 'nats', NATS_URL: '127.0.0.1:4222' },
        'NATS_URL must be a URL such as nats://127.0.0.1:4222, not "127.0.0.1:4222"',
      ],
      [{ PORT: 'abc' }, 'PORT must be a whole number from 0 to 65535, not "abc"'],
      [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535, not "-1"'],
      [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, not "65536"'],
      [{ PORT: '3000.5' }, 'PORT must be a whole number from 0 to 65535, not "3000.5"'],
      [{ CORS_ORIGIN: 'https://a.example,b' }, `CORS_ORIGIN must list ${origins}, not "b"`],
      [{ CORS_ORIGIN: 'https://a.example/' }, `CORS_ORIGIN must list ${origins}, not "https://a.example/"`],
      [{ CORS_ORIGIN: '*' }, `CORS_ORIGIN must list ${origins}, not "*"`],
    ] as const;
    for (const [env, message] of cases) {
      expect(() => readConfig(env)).toThrow(ConfigError);
      expect(() => readConfig(env)).toThrow(new ConfigError(message));
    }
  });
});
