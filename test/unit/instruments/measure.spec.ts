import { describe, expect, it } from '@jest/globals';
import * as diagnostics from '../../../src/sse/diagnostics/diagnostics.js';
import { measure, observe, type Meter } from '../../../src/sse/instruments/measure.js';
import { whenTestEnds } from '../../support/clean-up.js';

const ofHub = { hub: 'here' };
const ofChannel = { ...ofHub, channel: 'rooms/a', definition: 'rooms/:id' };
const labels = { definition: 'rooms/:id' };

/** What is measured from now on, without the series that begin at 0. */
function measuring(hub = 'here'): unknown[][] {
  const measured: unknown[][] = [];
  const meter: Meter = {
    add: (name, value, of) => void measured.push(of ? [name, value, of] : [name, value]),
    record: (name, seconds, of) => void measured.push(of ? [name, seconds, of] : [name, seconds]),
  };
  whenTestEnds(measure(hub, meter));
  measured.length = 0;
  return measured;
}

const delivered = { ...ofChannel, deliveries: 3, bytes: 30, duration: 1, upTo: 9, traces: [] };

describe('measure()', () => {
  it('begins the series of known labels at 0, so that the first of a kind is seen', () => {
    const begun: string[] = [];
    const add: Meter['add'] = (name, value, of) =>
      void begun.push(`${name} ${Object.values(of ?? {}).join()} ${value}`);
    whenTestEnds(measure('here', { add, record: () => undefined }));
    expect(begun).toEqual([
      'sse.connections.opened new 0',
      'sse.connections.opened resumed 0',
      ...[
        ...['completed', 'failed', 'client', 'slow', 'overflow', 'gap'],
        ...['expired', 'revoked', 'disconnected', 'age', 'shutdown', 'refused'],
      ].map((reason) => `sse.connections.ended ${reason} 0`),
      ...['connections', 'connectionsPerKey', 'connectionsPerSecond', 'shutdown'].map(
        (limit) => `sse.connections.refused ${limit} 0`,
      ),
    ]);
  });

  it('hears its own hub, and no other', () => {
    const [here, elsewhere] = [measuring(), measuring('elsewhere')];
    diagnostics.connectionBackedUp.publish({ ...ofHub, connection: {} as never });
    expect(here).toEqual([['sse.connections.backed_up', 1]]);
    expect(elsewhere).toEqual([]);
  });

  it('times deliveries by the oldest event that was not replayed', () => {
    const measured = measuring();
    diagnostics.channelDelivered.publish({ ...delivered, replayed: 1, lag: { min: 5, max: 250 } });
    diagnostics.channelDelivered.publish({ ...delivered, replayed: 3, lag: undefined });
    // The clock of the instance that has published is ahead.
    diagnostics.channelDelivered.publish({ ...delivered, replayed: 0, lag: { min: -9, max: -5 } });
    const counted = [
      ['sse.events.delivered', 3, labels],
      ['sse.delivered', 30, labels],
    ];
    expect(measured).toEqual([
      ...counted,
      ['sse.events.replayed', 1, labels],
      ['sse.delivery.lag', 0.25, labels],
      ...counted,
      ['sse.events.replayed', 3, labels],
      ...counted,
      ['sse.delivery.lag', 0, labels],
    ]);
  });

  it('times publishing by the slowest call, and counts failures by their code', () => {
    const measured = measuring();
    const none = { failures: new Map(), bytes: 0 };
    const failures = new Map([['HUB_FULL', 2]]);
    diagnostics.channelPublished.publish({
      ...ofChannel,
      ...none,
      published: 2,
      duration: { min: 1, max: 20 },
    });
    diagnostics.channelPublished.publish({
      ...{ ...ofHub, channel: 'other', definition: undefined },
      ...{ bytes: 0, published: 0, failures, duration: { min: 1, max: 1_000 } },
    });
    expect(measured).toEqual([
      ['sse.publish.duration', 0.02, labels],
      ['sse.events.published', 2, labels],
      ['sse.publish.duration', 1, { definition: 'none' }],
      ['sse.publish.failures', 2, { definition: 'none', code: 'HUB_FULL' }],
    ]);
  });

  it('counts what went wrong by its reason', () => {
    const measured = measuring();
    const connection = {} as never;
    diagnostics.connectionEnded.publish({ ...ofHub, connection, duration: 1, reason: 'slow' });
    diagnostics.connectionRefused.publish({ ...ofHub, limit: 'connections', path: '/' });
    const gap = { reason: 'evicted', requested: '', oldest: null, latest: '' };
    diagnostics.streamGap.publish({ ...ofChannel, connection, ...gap });
    diagnostics.streamDenied.publish({ ...ofChannel, connection, reason: 'forbidden' });
    diagnostics.hookFailed.publish({ ...ofChannel, hook: 'Rooms.came()', error: new Error() });
    expect(measured).toEqual([
      ['sse.connections.ended', 1, { reason: 'slow' }],
      ['sse.connections.refused', 1, { limit: 'connections' }],
      ['sse.gaps', 1, { ...labels, reason: 'evicted' }],
      ['sse.denials', 1, { ...labels, reason: 'forbidden' }],
      ['sse.hooks.failed', 1, { ...labels, hook: 'Rooms.came()' }],
    ]);
  });

  it('tells a new client from one that came back', () => {
    const measured = measuring();
    const connection = {} as never;
    diagnostics.connectionOpened.publish({ ...ofHub, connection, duration: 2_500, isResumed: true });
    diagnostics.connectionOpened.publish({ ...ofHub, connection, duration: 0, isResumed: false });
    expect(measured).toEqual([
      ['sse.connections.opened', 1, { start: 'resumed' }],
      ['sse.connection.open.duration', 2.5],
      ['sse.connections.opened', 1, { start: 'new' }],
      ['sse.connection.open.duration', 0],
    ]);
  });

  it('tells a pipe that has completed, also without events, from one that has failed', () => {
    const measured = measuring();
    diagnostics.pipeEnded.publish({ ...ofChannel, published: 0, error: undefined });
    diagnostics.pipeEnded.publish({ ...ofChannel, published: undefined, error: new Error() });
    expect(measured.map(([, , of]) => (of as { outcome: string }).outcome)).toEqual(['completed', 'failed']);
  });

  it.each([
    ['ready', 'away', []],
    ['away', 'behind', ['sse.backplane.reconnects']],
    ['away', 'ready', ['sse.backplane.reconnects']],
    ['behind', 'ready', ['sse.backplane.catch_ups']],
    ['behind', 'away', []],
  ] as const)('knows what it is that the backplane was %s and is %s', (before, state, names) => {
    const measured = measuring();
    diagnostics.backplaneChanged.publish({ ...ofHub, before, state, duration: 1 });
    expect(measured).toEqual(names.map((name) => [name, 1]));
  });

  it('counts orders that were carried out, and those that may have been missed', () => {
    const measured = measuring();
    diagnostics.orderObeyed.publish({ ...ofHub, about: 'revoke', from: 'there', streams: 4 });
    diagnostics.orderMissed.publish(ofHub);
    expect(measured).toEqual([
      ['sse.orders.obeyed', 1, { about: 'revoke' }],
      ['sse.orders.missed', 1],
    ]);
  });
});

describe('observe()', () => {
  it('has a value for each state of the backplane, and for each definition', () => {
    const stats = {
      ...{ connections: 1, channels: 2, subscribers: 3, published: 4, resent: 5, historyEvents: 6 },
      ...{ historyBytes: 7, backplane: 'behind' },
      definitions: [{ definition: undefined, channels: 1, subscribers: 2, members: 3, pipes: 4 }],
    };
    const none = { definition: 'none' };
    expect([...observe(stats as never)]).toEqual([
      ['sse.connections.active', 1],
      ['sse.publish.resent', 5],
      ['sse.logs', 2],
      ['sse.history.events', 6],
      ['sse.history.size', 7],
      ['sse.backplane.state', 0, { state: 'ready' }],
      ['sse.backplane.state', 1, { state: 'behind' }],
      ['sse.backplane.state', 0, { state: 'away' }],
      ['sse.channels.active', 1, none],
      ['sse.subscribers', 2, none],
      ['sse.members', 3, none],
      ['sse.pipes.active', 4, none],
    ]);
  });
});
