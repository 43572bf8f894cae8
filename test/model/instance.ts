import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Inject, Req, Sse as StockSse } from '@nestjs/common';
import {
  bufferCount,
  concatMap,
  delay as delayed,
  filter,
  map,
  merge,
  mergeAll,
  type Observable,
} from 'rxjs';
import { defineChannel, SseHub, SseModule } from '../../src/sse/index.js';
import type { BackplaneFactory, SseEvent } from '../../src/sse/index.js';
import { startSseApp, type RouteRequest, type SseApp } from '../support/sse-app.js';
import { KEPT } from './channel-record.js';
import { BRIEF, type ChannelKind, type ClientPlan, type Operator } from './schedule.js';

type Events = Observable<SseEvent>;

const isShown = ({ data }: SseEvent): boolean => !(data as { isHidden: boolean }).isHidden;

/** After its events are handed on: at once, later, several together, as new values, as Promises. */
const operators: Record<Operator, (events: Events) => Observable<unknown>> = {
  none: (events) => events,
  copy: map((event) => ({ ...event })),
  envelope: map(({ data }) => ({ data: data as unknown })),
  lookUp: concatMap((event) => delay(1, event)),
  delay: delayed(10),
  pairs: (events) => events.pipe(bufferCount(2), mergeAll()),
  promises: map((event) => delay(1, event)),
};

/** The address of a client's stream. */
export const pathOf = (plan: ClientPlan, names: readonly string[]): string => {
  const { operator, filter: hides, replay, isMerged } = plan;
  return `/${plan.route}?${new URLSearchParams({ operator, hides, replay, merged: String(isMerged), channels: names.join() })}`;
};

function streamOf(hub: SseHub, { query }: RouteRequest): Observable<unknown> {
  const { channels, operator, hides, replay, merged } = query as Record<string, string>;
  const options = {
    replay: replay as ClientPlan['replay'],
    ...(hides === 'option' && { filter: isShown }),
  };
  const stream = (names: string | string[]): Observable<unknown> => {
    const events = hub.stream(names, options);
    return operators[operator as Operator](hides === 'operator' ? events.pipe(filter(isShown)) : events);
  };
  const names = channels!.split(',');
  return merged === 'true' ? merge(...names.map(stream)) : stream(names);
}

@Controller('stock')
class StockController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @StockSse()
  events(@Req() request: RouteRequest): Observable<unknown> {
    return streamOf(this.hub, request);
  }
}

const definitions = (Object.keys(KEPT) as ChannelKind[]).map((kind) =>
  defineChannel(`${kind}/:name`, { history: KEPT[kind], ...(kind === 'brief' && { ttl: BRIEF }) }),
);

/** Starts one instance of the application, on a port of before where another is to take its place. */
export const startInstance = (backplane: BackplaneFactory | undefined, port?: number): Promise<SseApp> =>
  startSseApp({
    sse: {
      ...(backplane && { backplane }),
      heartbeat: 15,
      retry: 1,
      limits: { historyBytes: Infinity },
      shutdown: { grace: 50, spread: 0 },
    },
    imports: [SseModule.forFeature(definitions)],
    controllers: [StockController],
    routes: { ours: streamOf },
    ...(port !== undefined && { port }),
  });

/** Whether `hub.stream()` takes a filter. */
export function hasFilterOption({ hub }: SseApp): boolean {
  try {
    hub.stream('wide/any', { filter: isShown });
    return true;
  } catch {
    return false;
  }
}
