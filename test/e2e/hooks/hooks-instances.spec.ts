import { Inject, Injectable, type Type } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { Observable, type Subscription } from 'rxjs';
import {
  OnFirstSubscriber,
  OnLastUnsubscribed,
  OnSubscribe,
  OnUnsubscribe,
  SseCluster,
  SseHub,
  whileLeading,
} from '../../../src/sse/index.js';
import type { BackplaneFactory, ChannelSubscription, ChannelUse } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { newInbox } from '../../support/inbox.js';
import type { Inbox } from '../../../src/sse/testing/inbox.js';
import { describeOnRedis } from '../../support/shared-server.js';
import { startSseApp, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

/** What the hooks of one instance are told, as `subscribe ada`. */
type Told = Inbox<string>;

function audit(told: Told): Type {
  @Injectable()
  class Audit {
    @OnSubscribe('rooms/:id')
    subscribed({ user, params }: ChannelSubscription<{ id: string }>): void {
      told.push(`subscribe ${user} ${params.id}`);
    }

    @OnUnsubscribe('rooms/:id')
    unsubscribed({ user, params }: ChannelSubscription<{ id: string }>): void {
      told.push(`unsubscribe ${user} ${params.id}`);
    }

    @OnFirstSubscriber('rooms/:id')
    first({ params }: ChannelUse<{ id: string }>): void {
      told.push(`first ${params.id}`);
    }

    @OnLastUnsubscribed('rooms/:id')
    last({ params }: ChannelUse<{ id: string }>): void {
      told.push(`last ${params.id}`);
    }
  }
  return Audit;
}

interface Instance extends SseApp {
  readonly told: Told;
}

async function startInstance(backplane: BackplaneFactory): Promise<Instance> {
  const told: Told = newInbox();
  const app = await startSseApp({
    routes: { events: (hub, { query }) => hub.stream(query['channels']!.split(',')) },
    providers: [audit(told)],
    sse: { backplane, identify: ({ query }: RouteRequest) => ({ user: query['user']! }) },
  });
  return { ...app, told };
}

const join = ({ url }: Instance, user: string, channels: string): Promise<TestStream> =>
  listen(`${url}/events?user=${user}&channels=${channels}`);

/** The next that an instance is told; those of one moment come in any order. */
const next = async ({ told }: Instance, count: number): Promise<string[]> =>
  (await told.until((_, taken) => taken === count)).sort();

describeOnRedis('hooks of two instances', (shared) => {
  const startTwo = async (): Promise<[one: Instance, other: Instance]> => {
    const backplane = shared();
    return [await startInstance(backplane), await startInstance(backplane)];
  };

  it('are told of the streams of their own instance, each of its first and its last', async () => {
    const [one, other] = await startTwo();
    const ada = await join(one, 'ada', 'rooms/a');
    expect(await next(one, 2)).toEqual(['first a', 'subscribe ada a']);
    const bob = await join(other, 'bob', 'rooms/a');
    expect(await next(other, 2)).toEqual(['first a', 'subscribe bob a']);
    const eve = await join(one, 'eve', 'rooms/a');
    expect(await next(one, 1)).toEqual(['subscribe eve a']);
    await other.hub.publish('rooms/a', { data: 'x' });
    for (const client of [ada, bob, eve]) expect((await client.next()).text).toBe('x');

    ada.close();
    expect(await next(one, 1)).toEqual(['unsubscribe ada a']);
    eve.close();
    expect(await next(one, 2)).toEqual(['last a', 'unsubscribe eve a']);
    expect(await one.hub.subscriberCount('rooms/a', { everywhere: true })).toBe(1);
    bob.close();
    expect(await next(other, 2)).toEqual(['last a', 'unsubscribe bob a']);
    expect([one.told.all.length, other.told.all.length]).toEqual([6, 4]);
  });

  it('are told where a stream is that the other instance ends, or takes a channel of', async () => {
    const [one, other] = await startTwo();
    const ada = await join(one, 'ada', 'rooms/a,rooms/b,rooms/c');
    await next(one, 6);
    await other.hub.revoke('ada', 'rooms/a');
    expect(await next(one, 2)).toEqual(['last a', 'unsubscribe ada a']);
    await other.hub.complete('rooms/b');
    expect(await next(one, 2)).toEqual(['last b', 'unsubscribe ada b']);
    await other.hub.disconnect({ user: 'ada' });
    expect(await next(one, 2)).toEqual(['last c', 'unsubscribe ada c']);
    await ada.ended();
    expect(other.told.all).toEqual([]);
  });

  it('are told nothing of what is left of the other instance when it closes', async () => {
    const [one, other] = await startTwo();
    await join(one, 'ada', 'rooms/a');
    await join(other, 'bob', 'rooms/a');
    await next(one, 2);
    await next(other, 2);
    await one.close();
    expect(await next(one, 2)).toEqual(['last a', 'unsubscribe ada a']);
    await join(other, 'ada', 'rooms/a');
    expect(await next(other, 1)).toEqual(['subscribe ada a']);
    expect(other.told.all).toHaveLength(3);
  });

  it('start one source for both, which the other takes over', async () => {
    const told = newInbox<string>();
    @Injectable()
    class Weather {
      readonly #name = ['one', 'other'][instances++];
      #source: Subscription | undefined;

      constructor(
        @Inject(SseHub) private readonly hub: SseHub,
        @Inject(SseCluster) private readonly cluster: SseCluster,
      ) {}

      @OnFirstSubscriber('weather/:city')
      start({ channel }: ChannelUse): void {
        this.#source = whileLeading(this.cluster, channel, this.#sky()).subscribe((data) => {
          void this.hub.publish(channel, { data });
        });
        told.push(`${this.#name} is told`);
      }

      @OnLastUnsubscribed('weather/:city')
      stop(): void {
        this.#source?.unsubscribe();
      }

      #sky(): Observable<string> {
        return new Observable((subscriber) => {
          told.push(`${this.#name} looks`);
          subscriber.next(`as ${this.#name} sees it`);
        });
      }
    }
    let instances = 0;
    const backplane = shared();
    const routes = { events: (hub: SseHub) => hub.stream('weather/here', { replay: 'all' }) };
    const start = (): Promise<SseApp> => startSseApp({ routes, providers: [Weather], sse: { backplane } });
    const [one, other] = [await start(), await start()];
    const first = await listen(`${one.url}/events`);
    expect(await told.until((_, count) => count === 2)).toEqual(['one is told', 'one looks']);
    const second = await listen(`${other.url}/events`);
    expect(await told.nextIfAny()).toBe('other is told');
    expect((await second.next()).text).toBe('as one sees it');
    first.close();
    expect(await told.nextIfAny()).toBe('other looks');
    expect((await second.next()).text).toBe('as other sees it');
  });
});
