/** The option `backplane` of an instance; nothing for memory. */
export async function backplaneOf(name, address) {
  if (name === 'memory') return undefined;
  if (name === 'redis') {
    const { redisBackplane } = await import('../../../dist/sse/backplanes/redis/index.js');
    return redisBackplane({ connection: { url: address } });
  }
  const { natsBackplane } = await import('../../../dist/sse/backplanes/nats/index.js');
  return natsBackplane({ connection: { servers: address } });
}
