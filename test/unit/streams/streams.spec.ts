import { describe, expect, it } from '@jest/globals';
import type { Channels } from '../../../src/sse/channels/channels.js';
import type { Prefaces } from '../../../src/sse/streams/preface.js';
import type { StreamReader } from '../../../src/sse/streams/stream-reader.js';
import { Streams } from '../../../src/sse/streams/channel-stream.js';

describe('The streams of an application', () => {
  it('carry a response no more when the application has ended', () => {
    const streams = new Streams({} as Channels, {} as Prefaces, 1);
    const reader = {} as StreamReader;
    const responses = streams.run(reader, () => {
      const before = streams.responseReader;
      streams.onApplicationShutdown();
      return [before, streams.responseReader];
    });
    expect(responses).toEqual([reader, undefined]);
  });
});
