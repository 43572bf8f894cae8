import { describe, expect, it } from '@jest/globals';
import type { StreamReader } from '../../../src/sse/streams/stream-reader.js';
import { Streams } from '../../../src/sse/streams/streams.js';

describe('The streams of an application', () => {
  it('carry a response no more when the application has ended', () => {
    const none = {} as never;
    const streams = new Streams(none, none, none, none, none, { limits: none });
    const reader = {} as StreamReader;
    const responses = streams.run(reader, () => {
      const before = streams.responseReader;
      streams.onApplicationShutdown();
      return [before, streams.responseReader];
    });
    expect(responses).toEqual([reader, undefined]);
  });
});
