import { Inject, Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { NEVER } from 'rxjs';
import { OnFirstSubscriber, OnLastUnsubscribed, SseHub } from '../../../src/sse/index.js';
import type { ChannelUse, SseModuleOptions } from '../../../src/sse/index.js';
import { newInbox } from '../../support/inbox.js';
import { startSseApp, untilConnections, untilSubscribers } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Deferred } from '../streams/deferred.js';

const routes: Record<string, Route> = {
  events: (hub, { query }) => hub.stream(query['channels']!.split(',')),
  copy: (hub) => {
    hub.stream('copy').subscribe();
    return NEVER;
  },
};

type Start = (providers: SseAppOptions['providers'], sse?: SseModuleOptions) => Promise<SseApp>;

describe('@OnFirstSubscriber() and @OnLastUnsubscribed()', () => {
  const start: Start = (providers = [], sse = {}) => startSseApp({ routes, providers, sse });

  it('start a source with the first stream of a channel, and stop it with the last', async () => {
    const told = newInbox<string>();
    @Injectable()
    class Source {
      @OnFirstSubscriber('prices/:symbol')
      start({ channel, params }: ChannelUse<{ symbol: string }>): void {
        told.push(`start ${channel} ${params.symbol}`);
      }

      @OnLastUnsubscribed('prices/:symbol')
      stop({ channel, params }: ChannelUse<{ symbol: string }>): void {
        told.push(`stop ${channel} ${params.symbol}`);
      }
    }
    const { hub, url } = await start([Source]);
    const first = await listen(`${url}/events?channels=prices/a`);
    expect(await told.nextIfAny()).toBe('start prices/a a');
    const second = await listen(`${url}/events?channels=prices/a,prices/b,other`);
    expect(await told.nextIfAny()).toBe('start prices/b b');
    const elsewhere = hub.stream('prices/b').subscribe();
    second.drop('fin');
    await untilConnections(hub, 1);
    first.drop('fin');
    expect(await told.nextIfAny()).toBe('stop prices/a a');
    elsewhere.unsubscribe();
    expect(await told.nextIfAny()).toBe('stop prices/b b');
  });

  it('may publish, and the first subscriber gets it', async () => {
    @Injectable()
    class Source {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @OnFirstSubscriber('prices/:symbol')
      async start({ channel, params }: ChannelUse<{ symbol: string }>): Promise<void> {
        await this.hub.publish(channel, { data: `of ${params.symbol}` });
      }
    }
    const { url } = await start([Source]);
    const client = await listen(`${url}/events?channels=prices/a`);
    expect(await client.next()).toMatchObject({ text: 'of a' });
  });

  it('belong to no request: what a hook streams is no part of the response that has led to it', async () => {
    const received = newInbox<unknown>();
    @Injectable()
    class Source {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @OnFirstSubscriber('copy')
      start(): void {
        // In the client's context it would be taken to where the client was.
        this.hub.stream('origin').subscribe(({ data }) => received.push(data));
      }
    }
    const { hub, url } = await start([Source]);
    const position = await hub.publish('origin', { data: 'known to the client' });
    await hub.publish('origin', { data: 'news to the client' });
    await listen(`${url}/copy`, { lastEventId: `origin=${position}` });
    await untilSubscribers(hub, 'origin', 1);
    await hub.publish('origin', { data: 'live' });
    expect(await received.nextIfAny()).toBe('live');
  });

  it('are told nothing of a channel that there is no room for', async () => {
    const told: string[] = [];
    @Injectable()
    class Source {
      @OnFirstSubscriber(':channel')
      @OnLastUnsubscribed(':channel')
      called({ channel }: ChannelUse): void {
        told.push(channel);
      }
    }
    const { hub, url } = await start([Source], { limits: { channels: 1 } });
    const client = await listen(`${url}/events?channels=a`);
    await (await listen(`${url}/events?channels=b`)).ended();
    client.drop('fin');
    await untilSubscribers(hub, 'a', 0);
    await turn();
    expect(told).toEqual(['a', 'a']);
  });

  it('are told of names whose parameters are not written as encodeURIComponent() does, too', async () => {
    const told = newInbox<string>();
    @Injectable()
    class Source {
      @OnFirstSubscriber('prices/:symbol')
      start({ params }: ChannelUse<{ symbol: string }>): void {
        told.push(params.symbol);
      }
    }
    const { hub } = await start([Source]);
    hub.stream(['prices/%61', 'prices/%', 'prices/%C3%BC']).subscribe();
    expect(await told.until((_, count) => count === 3)).toEqual(['%61', '%', 'ü']);
  });
});

describe('The two hooks of one channel', () => {
  /** A source that takes its time, and tells what is done with it. */
  async function slowSource() {
    const told = newInbox<string>();
    const steps: Deferred[] = [];
    @Injectable()
    class Source {
      @OnFirstSubscriber('slow')
      start(): Promise<void> {
        return step('start');
      }

      @OnLastUnsubscribed('slow')
      stop(): Promise<void> {
        return step('stop');
      }
    }
    function step(name: string): Promise<void> {
      told.push(name);
      steps.push(new Deferred());
      return steps.at(-1)!.promise;
    }
    const { hub } = await startSseApp({ providers: [Source] });
    /** Has somebody come, and has it told that the channel is open. */
    const come = async () => {
      const subscription = hub.stream('slow').subscribe();
      await turn();
      return subscription;
    };
    return { told, steps, come };
  }

  it('wait for each other', async () => {
    const { told, steps, come } = await slowSource();
    const first = await come();
    first.unsubscribe();
    await turn();
    expect(told.all).toEqual(['start']);
    steps[0]!.resolve();
    await turn();
    expect(told.all).toEqual(['start', 'stop']);
    await come();
    expect(told.all).toEqual(['start', 'stop']);
    steps[1]!.resolve();
    await turn();
    expect(told.all).toEqual(['start', 'stop', 'start']);
  });

  it('are not called for what has changed back meanwhile', async () => {
    const { told, steps, come } = await slowSource();
    for (let i = 0; i < 10; i++) (await come()).unsubscribe();
    const last = await come();
    steps[0]!.resolve();
    await turn();
    expect(told.all).toEqual(['start']);
    last.unsubscribe();
    await turn();
    expect(told.all).toEqual(['start', 'stop']);
  });

  it('end in the state that is so, however often it changes', async () => {
    const { told, steps, come } = await slowSource();
    for (let i = 0; i < 10; i++) (await come()).unsubscribe();
    steps[0]!.resolve();
    await turn();
    expect(told.all).toEqual(['start', 'stop']);
  });

  it('are never called in the middle of something', async () => {
    const { told, steps, come } = await slowSource();
    const subscription = await come();
    steps[0]!.resolve();
    await turn();
    subscription.unsubscribe();
    expect(told.all).toEqual(['start']);
    await Promise.resolve();
    expect(told.all).toEqual(['start', 'stop']);
  });
});
