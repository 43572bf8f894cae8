import { describe, expect, it } from '@jest/globals';
import {
  ChannelHandlers,
  type ChannelHandler,
  type HandlerKind,
} from '../../../src/sse/handlers/channel-handlers.js';
import { SparseLog } from '../../../src/sse/sparse-log.js';
import { ChannelPattern } from '../../../src/sse/channels/channel-pattern.js';

const handler = (kind: HandlerKind, pattern: string): ChannelHandler => ({
  kind,
  pattern: new ChannelPattern(pattern),
  name: `${kind} ${pattern}`,
  log: new SparseLog(),
  call: () => undefined,
});

describe('the handlers of a channel', () => {
  const all = [
    handler('authorize', 'rooms/:room'),
    handler('subscribe', 'rooms/:room'),
    handler('authorize', 'rooms/lobby'),
    handler('authorize', ':kind/:name'),
  ];
  const filled = (): ChannelHandlers => {
    const handlers = new ChannelHandlers();
    handlers.add(all);
    return handlers;
  };
  const names = (handlers: ChannelHandlers, kind: HandlerKind, channel: string): string[] =>
    handlers.of(kind, channel).map(({ handler: { name } }) => name);

  it('are all of their kind that match, in the order in which they were found, with what each reads', () => {
    expect(filled().of('authorize', 'rooms/lobby')).toEqual([
      { handler: all[0], params: { room: 'lobby' }, isCanonical: true },
      { handler: all[2], params: {}, isCanonical: true },
      { handler: all[3], params: { kind: 'rooms', name: 'lobby' }, isCanonical: true },
    ]);
    expect(names(filled(), 'subscribe', 'rooms/a')).toEqual(['subscribe rooms/:room']);
  });

  it('are none where none matches, or there are none of the kind', () => {
    expect(filled().of('authorize', 'news')).toEqual([]);
    expect(filled().of('last', 'rooms/lobby')).toEqual([]);
    expect(new ChannelHandlers().of('authorize', 'news')).toEqual([]);
    expect([filled().has('authorize'), filled().has('last'), new ChannelHandlers().has('authorize')]).toEqual(
      [true, false, false],
    );
  });

  it('are found once for each name', () => {
    const handlers = filled();
    expect(handlers.of('authorize', 'rooms/a')).toBe(handlers.of('authorize', 'rooms/a'));
  });

  it('are more when some are added, also of names that were asked for before', () => {
    const handlers = filled();
    expect(handlers.of('authorize', 'news')).toEqual([]);
    handlers.add([handler('authorize', 'news')]);
    expect(names(handlers, 'authorize', 'news')).toEqual(['authorize news']);
    expect(names(handlers, 'authorize', 'rooms/a')).toHaveLength(2);
  });
});
