import { describe, expect, it } from '@jest/globals';
import { StreamContext, type StreamHost } from '../../../src/sse/streams/stream-context.js';

describe('The context of streams', () => {
  it('carries a response no more when its application has ended', () => {
    const context = new StreamContext();
    const host = {} as StreamHost;
    const hosts = context.run(host, () => {
      const before = context.host;
      context.onApplicationShutdown();
      return [before, context.host];
    });
    expect(hosts).toEqual([host, undefined]);
  });
});
