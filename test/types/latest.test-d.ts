// Compile-time promises: checked by `npm run types`, never run.
import { defineChannel, Sse, SseModule, type } from '../../src/sse/index.js';
import type { KeyedEvent, LatestPolicy, SlowPolicy, SseModuleOptions } from '../../src/sse/index.js';
import { isOf, same } from './expect-type.js';

interface Price {
  readonly symbol: string;
  readonly price: number;
}

interface Trade {
  readonly trader: number;
}

export function theKeyFunctionOfATypedChannelIsGivenItsEvents(): void {
  defineChannel('prices/:market', {
    events: { price: type<Price>() },
    slow: {
      latest: (event) => {
        isOf<string>()(event.channel, true);
        isOf<Price>()(event.data, true);
        return event.data.symbol;
      },
    },
  });
  defineChannel('prices', { events: { price: type<Price>() }, slow: { latest: ({ data }) => data.symbol } });
}

export function itMayTellThemApartByTheirTypes(): void {
  defineChannel('market', {
    events: { price: type<Price>(), message: type<Trade>() },
    slow: {
      latest: (event) => {
        same<typeof event.type, 'price' | 'message' | undefined>(true);
        if (event.type === 'price') return isOf<Price>()(event.data, true);
        isOf<Trade>()(event.data, true);
        return event.data.trader;
      },
    },
  });
}

export function itIsGivenNoGap(): void {
  defineChannel('market', {
    events: { price: type<Price>(), trade: type<Trade>() },
    slow: {
      latest: (event) => {
        same<typeof event.type, 'price' | 'trade'>(true);
        // @ts-expect-error: a gap is not published by anybody
        return event.type === 'gap';
      },
    },
  });
}

export function whatItsEventsHaveNotIsAnError(): void {
  defineChannel('prices', {
    events: { price: type<Price>() },
    // @ts-expect-error: the data has no such field
    slow: { latest: ({ data }) => data.name },
  });
  defineChannel('market', {
    events: { price: type<Price>(), trade: type<Trade>() },
    // @ts-expect-error: the data of only one of them has it
    slow: { latest: ({ data }) => data.symbol },
  });
  // @ts-expect-error: a key is made by a function
  defineChannel('prices', { slow: { latest: 'symbol' } });
  // @ts-expect-error: there is no such policy
  defineChannel('prices', { slow: { newest: () => 1 } });
}

export function withoutADefinitionAnyEventMayCome(): void {
  const latest = (event: KeyedEvent): string => `${event.channel} ${event.data.symbol}`;
  defineChannel('open/:id', { slow: { latest } });
  defineChannel('open/:id', { slow: { latest: ({ data }) => data.whatever.it.is } });
  SseModule.forRoot({ slow: { latest } });
  Sse('prices', { slow: { latest }, coalesce: 50 });
  const policy: LatestPolicy = { latest };
  const slow: NonNullable<SseModuleOptions['slow']> = policy;
  const others: SlowPolicy[] = ['gap', 'disconnect', slow];
  SseModule.forRoot({ slow: others[0]! });
  // @ts-expect-error: milliseconds are a number
  Sse('prices', { coalesce: '50' });
}
