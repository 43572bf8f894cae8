import { expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo } from 'node:net';
import { redisBackplane, type RedisBackplaneOptions } from '../../src/sse/backplanes/redis/index.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer, type RedisServerOptions } from '../support/redis-server.js';

/** A way to a Redis on which its version reads as an older one, with as many characters. */
async function aged(port: number): Promise<number> {
  const proxy = createServer((socket) => {
    const server = connect(port, '127.0.0.1');
    server.on('data', (data) => {
      socket.write(data.toString('latin1').replace(/(version\r\n\$6\r\n)7\.0\.\d\d/, '$16.2.14'), 'latin1');
    });
    socket.pipe(server);
    socket.on('close', () => server.destroy()).on('error', () => server.destroy());
    server.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  whenTestEnds(() => proxy.close());
  return (proxy.address() as AddressInfo).port;
}

describeWith('redis-server', 'the start with a Redis', (path) => {
  let server: RedisServer;

  const serve = async (options?: RedisServerOptions): Promise<void> => {
    server = await RedisServer.start(path, options);
    whenTestEnds(() => server.dispose());
  };
  const code = (code: string): unknown => expect.objectContaining({ name: 'SseError', code });
  const refusal = async (options: RedisBackplaneOptions): Promise<string> => {
    const opening = Promise.resolve(redisBackplane(options)(moduleSettings().limits));
    const error = await opening.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toEqual(code('BACKPLANE_FAILED'));
    return (error as Error).message;
  };

  it('fails with one line that says where nobody answers', async () => {
    await serve();
    await server.stop();
    expect(await refusal({ connection: { url: server.url } })).toMatch(
      new RegExp(
        `^Redis at 127\\.0\\.0\\.1:${server.port} cannot be reached: .*ECONNREFUSED.*correct the address in the options\\.$`,
      ),
    );
    expect(await refusal({ connection: { url: 'redis://no-such-host.invalid' } })).toMatch(
      /cannot be reached/,
    );
    expect(await refusal({ connection: { url: 'http://127.0.0.1' } })).toMatch(
      /^The Redis URL cannot be read/,
    );
  });

  it('fails with one line that says that the password is wrong', async () => {
    await serve({ args: ['--requirepass', 'secret'] });
    for (const connection of [{ url: server.url }, { url: server.url, password: 'wrong' }]) {
      const message = await refusal({ connection });
      expect(message).toMatch(/does not accept the password/);
      expect(message).not.toContain('\n');
    }
    const open = redisBackplane({ connection: { url: server.url, password: 'secret' } });
    await (await open(moduleSettings().limits)).backplane.close();
  });

  it('fails with one line that says that the version is too old', async () => {
    await serve();
    // No older Redis is at hand: this one says that it is.
    const port = await aged(server.port);
    expect(await refusal({ connection: { url: `redis://127.0.0.1:${port}` } })).toBe(
      `Redis at 127.0.0.1:${port} has version 6.2.14, and at least 7.0 is needed. Upgrade it.`,
    );
  });

  it('fails where somebody takes the connection and says nothing', async () => {
    await serve();
    server.freeze();
    whenTestEnds(() => server.thaw());
    expect(await refusal({ connection: { url: server.url } })).toMatch(
      /cannot be reached: there was no answer/,
    );
  });

  it('fails on an option that is not there', () => {
    expect(() => redisBackplane({ url: 'x' } as RedisBackplaneOptions)).toThrow(code('INVALID_OPTIONS'));
  });
});
