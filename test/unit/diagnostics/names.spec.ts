import { channel, type Channel } from 'node:diagnostics_channel';
import { expect, it } from '@jest/globals';
import * as diagnostics from '../../../src/sse/diagnostics/diagnostics.js';

it('the channels of diagnostics have the names that others subscribe to', () => {
  const { PREFIX, publishing, ...told } = diagnostics;
  const named = Object.entries(told) as [string, Partial<Channel>][];
  expect(Object.fromEntries(named.map(([constant, { name }]) => [constant, name]))).toEqual({
    connectionBegan: 'nestjs-sse-hub:connection:began',
    connectionOpened: 'nestjs-sse-hub:connection:opened',
    connectionEnded: 'nestjs-sse-hub:connection:ended',
    connectionRefused: 'nestjs-sse-hub:connection:refused',
    connectionBackedUp: 'nestjs-sse-hub:connection:backed-up',
    streamBegan: 'nestjs-sse-hub:stream:began',
    streamEnded: 'nestjs-sse-hub:stream:ended',
    streamGap: 'nestjs-sse-hub:stream:gap',
    streamDenied: 'nestjs-sse-hub:stream:denied',
    channelDelivered: 'nestjs-sse-hub:channel:delivered',
    channelPublished: 'nestjs-sse-hub:channel:published',
    channelCompleted: 'nestjs-sse-hub:channel:completed',
    channelPurged: 'nestjs-sse-hub:channel:purged',
    hookFailed: 'nestjs-sse-hub:hook:failed',
    pipeBegan: 'nestjs-sse-hub:pipe:began',
    pipeEnded: 'nestjs-sse-hub:pipe:ended',
    orderObeyed: 'nestjs-sse-hub:order:obeyed',
    orderMissed: 'nestjs-sse-hub:order:missed',
    backplaneChanged: 'nestjs-sse-hub:backplane:changed',
  });
  expect(PREFIX).toBe('nestjs-sse-hub:');
  expect(publishing.start).toBe(channel('tracing:nestjs-sse-hub:publish:start'));
});
