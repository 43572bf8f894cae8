import { describe, expect, it } from '@jest/globals';
import { idFormOf } from '../../../src/sse/protocol/media-type.js';

describe('The Accept header of a request', () => {
  it.each([
    'text/event-stream;ids=own',
    'Text/Event-Stream; IDS=own',
    'text/event-stream ; q=0.9 ; ids="own"',
    'application/json, text/event-stream;ids=own;q=1, */*;q=0.1',
  ])('asks for own ids: %s', (accept) => {
    expect(idFormOf(accept)).toBe('own');
  });

  it.each([
    undefined,
    '',
    '*/*',
    'text/event-stream',
    'text/event-stream;ids=full',
    'text/event-stream;ids=OWN',
    'text/event-stream;ids',
    'text/event-stream;xids=own',
    'text/event-stream;ids=own;q=0',
    'text/event-stream, text/plain;ids=own',
    'xtext/event-stream;ids=own',
    ';;;,,,===',
  ])('does not ask for own ids: %s', (accept) => {
    expect(idFormOf(accept)).toBe('full');
  });
});
