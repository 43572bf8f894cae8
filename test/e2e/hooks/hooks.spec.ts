import { Inject, Injectable, Scope } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import {
  AuthorizeChannel,
  defineChannel,
  OnFirstSubscriber,
  OnLastUnsubscribed,
  OnSubscribe,
  OnUnsubscribe,
  SseHub,
  SseModule,
} from '../../../src/sse/index.js';
import type { ChannelSubscription, ChannelUse, SseModuleOptions } from '../../../src/sse/index.js';
import { newInbox } from '../../support/inbox.js';
import { startSseApp, untilConnections, untilSubscribers } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Deferred } from '../streams/deferred.js';

const routes: Record<string, Route> = {
  events: (hub, { query }) => hub.stream(query['channels']!.split(',')),
};

type Start = (providers: SseAppOptions['providers'], sse?: SseModuleOptions) => Promise<SseApp>;

const Room = defineChannel('teams/:team/rooms/:room');

describe('@OnSubscribe() and @OnUnsubscribe()', () => {
  const start: Start = (providers = [], sse = {}) =>
    startSseApp({ routes, providers, sse, imports: [SseModule.forFeature([Room])] });

  it('tell who begins and ends to stream a channel, with the parameters of its name', async () => {
    const told = newInbox<readonly [string, ChannelSubscription]>();
    @Injectable()
    class Audit {
      @OnSubscribe(Room)
      begun(subscription: ChannelSubscription<{ team: string; room: string }>): void {
        told.push(['begun', subscription]);
      }

      @OnUnsubscribe('teams/:team/rooms/:room')
      ended(subscription: ChannelSubscription<{ team: string; room: string }>): void {
        told.push(['ended', subscription]);
      }
    }
    const identify = (request: { headers: Record<string, string> }) => ({ user: request.headers['name']! });
    const { hub, url } = await start([Audit], { identify });
    const name = Room.of({ team: 'a/b', room: 'lobby' });
    const client = await listen(`${url}/events?channels=other,${encodeURIComponent(name)}`, {
      headers: { name: 'Ada' },
    });
    const [info] = await hub.connections();
    const expected = {
      channel: name,
      params: { team: 'a/b', room: 'lobby' },
      user: 'Ada',
      connection: info!.id,
      request: expect.objectContaining({ query: { channels: `other,${name}` } }),
    };
    expect(await told.nextIfAny()).toEqual(['begun', expected]);
    client.drop('fin');
    expect(await told.nextIfAny()).toEqual(['ended', expected]);
  });

  it('tell of a channel that was taken away, has completed, or whose stream was ended', async () => {
    const told = newInbox<string>();
    @Injectable()
    class Audit {
      @OnSubscribe('orders/:id')
      begun({ params }: ChannelSubscription<{ id: string }>): void {
        told.push(`begun ${params.id}`);
      }

      @OnUnsubscribe('orders/:id')
      ended({ params }: ChannelSubscription<{ id: string }>): void {
        told.push(`ended ${params.id}`);
      }
    }
    const { hub, url } = await start([Audit], { identify: () => ({ user: 'Ada' }) });
    await listen(`${url}/events?channels=orders/1,orders/2,orders/3`);
    await told.until((_, count) => count === 3);
    await hub.revoke('Ada', 'orders/1');
    expect(await told.nextIfAny()).toBe('ended 1');
    await hub.complete('orders/2');
    expect(await told.nextIfAny()).toBe('ended 2');
    await hub.disconnect({ user: 'Ada' });
    expect(await told.nextIfAny()).toBe('ended 3');
  });

  it('tell nothing of a stream that is denied', async () => {
    const told: string[] = [];
    @Injectable()
    class Audit {
      @AuthorizeChannel('orders/:id')
      mayRead(): boolean {
        return false;
      }

      @OnSubscribe('orders/:id')
      @OnUnsubscribe('orders/:id')
      @OnFirstSubscriber('orders/:id')
      @OnLastUnsubscribed('orders/:id')
      called({ channel }: ChannelUse): void {
        told.push(channel);
      }

      @OnSubscribe('news')
      @OnUnsubscribe('news')
      @OnFirstSubscriber('news')
      @OnLastUnsubscribed('news')
      calledToo({ channel }: ChannelUse): void {
        told.push(channel);
      }
    }
    const { hub, url } = await start([Audit]);
    expect((await answerTo(`${url}/events?channels=orders/1`)).status).toBe(403);
    const client = await listen(`${url}/events?channels=orders/1,news`);
    client.drop('fin');
    await untilConnections(hub, 0);
    await turn();
    expect(told).toEqual(['news', 'news', 'news', 'news']);
  });

  it('run beside the stream: one that is slow holds nothing up, one that fails is logged', async () => {
    const log = new LogRecorder();
    const never = new Promise(() => undefined);
    @Injectable()
    class Failing {
      @OnSubscribe('news')
      begun(): Promise<unknown> {
        return never;
      }

      @OnSubscribe('news')
      @OnFirstSubscriber('news')
      throwsAnything(): void {
        throw Object.create(null); // of which there is no string
      }

      @OnFirstSubscriber('news')
      throws(): void {
        throw new Error('thrown');
      }

      @OnSubscribe('news')
      @OnFirstSubscriber('news')
      async rejects(): Promise<void> {
        await turn();
        throw new Error('rejected');
      }
    }
    const app = await start([Failing]);
    app.app.useLogger(log);
    const client = await listen(`${app.url}/events?channels=news`);
    await app.hub.publish('news', { data: 'x' });
    expect(await client.next()).toMatchObject({ text: 'x' });
    await log.until(/^Failing.throws\(\) has failed for "news": Error: thrown$/);
    await log.until(/^Failing.rejects\(\) has failed for "news": Error: rejected$/);
    await log.until(/^Failing.throwsAnything\(\) has failed for "news": \[Object: null prototype\] {}$/);
    await app.hub.publish('news', { data: 'y' });
    expect(await client.next()).toMatchObject({ text: 'y' });
  });

  it('tell that a client has gone when they have told that it came', async () => {
    const told = newInbox<string>();
    const audited = new Deferred();
    @Injectable()
    class Audit {
      @OnSubscribe('news')
      async begun({ connection }: ChannelSubscription): Promise<void> {
        told.push(`begins ${connection}`);
        await audited.promise;
        told.push(`begun ${connection}`);
      }

      @OnUnsubscribe('news')
      ended({ connection }: ChannelSubscription): void {
        told.push(`ended ${connection}`);
      }
    }
    const { hub, url } = await start([Audit]);
    const client = await listen(`${url}/events?channels=news`);
    const [info] = await hub.connections();
    expect(await told.nextIfAny()).toBe(`begins ${info!.id}`);
    client.drop('fin');
    await untilConnections(hub, 0);
    await turn();
    expect(told.all).toHaveLength(1);
    audited.resolve();
    expect(await told.until((_, count) => count === 2)).toEqual([`begun ${info!.id}`, `ended ${info!.id}`]);
  });
});

describe('Hooks', () => {
  it('are told of channels that were streamed before the application had started', async () => {
    const told = newInbox<string>();
    @Injectable()
    class Early {
      constructor(@Inject(SseHub) hub: SseHub) {
        hub.stream('early').subscribe();
      }

      @OnFirstSubscriber('early')
      start(): void {
        told.push('start');
      }
    }
    await startSseApp({ providers: [Early] });
    expect(await told.nextIfAny()).toBe('start');
  });

  it('are told of the end of all streams when the application closes', async () => {
    const told = newInbox<string>();
    @Injectable()
    class Source {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @OnUnsubscribe('news')
      ended(): void {
        told.push('ended');
      }

      @OnLastUnsubscribed('news')
      async stop({ channel }: ChannelUse): Promise<void> {
        told.push(await this.hub.publish(channel, { data: 'nobody is there' }));
      }
    }
    const app = await startSseApp({ routes, providers: [Source] });
    await listen(`${app.url}/events?channels=news`);
    await untilSubscribers(app.hub, 'news', 1);
    await app.close();
    expect(await told.until((_, count) => count === 2)).toEqual(['ended', expect.stringMatching(/^1\./)]);
  });

  it.each([
    ['OnSubscribe', OnSubscribe('news')],
    ['OnUnsubscribe', OnUnsubscribe('news')],
    ['OnFirstSubscriber', OnFirstSubscriber('news')],
    ['OnLastUnsubscribed', OnLastUnsubscribed('news')],
  ] as const)('that cannot be called are named at the start: @%s()', async (_name, decorate) => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      hook(): void {}
    }
    decorate(PerRequest.prototype, 'hook', Object.getOwnPropertyDescriptor(PerRequest.prototype, 'hook')!);
    await expect(startSseApp({ providers: [PerRequest] })).rejects.toMatchObject({
      code: 'INVALID_HANDLER',
      message: expect.stringContaining('PerRequest.hook()'),
    });
  });
});
