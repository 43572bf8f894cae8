import { expect, it } from '@jest/globals';
import { sharedBody } from '../../../src/sse/log/stored-event.js';
import { chunk } from '../../../src/sse/protocol/event-stream.js';
import { storedOf } from '../stored-events.js';

it('is made once, as a text and as a chunk, what all clients get of an event', () => {
  const [one, other] = [storedOf(20), storedOf(20)];
  const shared = sharedBody(one);
  expect([shared.text, shared.chunk]).toEqual([one.body, chunk(one.body)]);
  expect(sharedBody(one)).toBe(shared);
  expect(shared.chunk).toBe(shared.chunk);
  expect(sharedBody(other)).not.toBe(shared);
});
