import { SetMetadata, type MessageEvent } from '@nestjs/common';
import type { Gap } from '../hub/sse-event.js';
import type { SlowPolicy } from '../sse.options.js';
import { booleanOf, checkObject, countOf, millisecondsOf, optional, slowOf } from '../validate.js';

/** What a client is told that takes every event for one of the application's. */
export interface PlainStream {
  /**
   * Makes an event of a gap. Left out, and where it gives nothing, the connection is cut: a clean end would be taken
   * for the whole.
   */
  readonly gap?: (gap: Gap) => MessageEvent | undefined;
}

/** How one route serves its streams, in place of what the module says. */
export interface SseRouteSettings {
  /** What happens to a client that the log has moved past. @defaultValue the channel's */
  readonly slow?: SlowPolicy;
  /** Milliseconds of silence after which a comment is sent; `0` switches it off. @defaultValue the module's */
  readonly heartbeat?: number;
  /**
   * Bytes that may wait for a client that does not read, of an Observable that is no hub stream.
   * @defaultValue the module's `limits.queuedBytes`
   */
  readonly queuedBytes?: number;
  /**
   * Milliseconds after a write in which what comes is gathered for the next one: fewer writes, and a
   * delay of at most so long. `0` gathers what was published in one turn of the event loop.
   * @defaultValue 0
   */
  readonly coalesce?: number;
  /**
   * Lets a compression middleware, or a proxy, compress the stream: drops `no-transform` from
   * Cache-Control. Events still leave at once. @defaultValue false
   */
  readonly allowTransform?: boolean;
  /**
   * Sends no event of the package's own types, for clients that take every event for one of the application's, as
   * those of language models do. An error, or a gap that `gap` makes no event of, cuts the connection then.
   * @defaultValue false
   */
  readonly plain?: boolean | PlainStream;
}

const SSE_ROUTE = 'nestjs-sse-hub:route';
/** The marks that Nest leaves on a stock `@Sse()` method, and on whatever has interceptors. */
const STOCK_SSE = '__sse__';
const INTERCEPTORS = '__interceptors__';

/** What a method was decorated with. */
interface DescribedRoute {
  readonly settings: SseRouteSettings;
  readonly hasSignal: boolean;
}

export const describeRoute = (route: DescribedRoute): MethodDecorator => SetMetadata(SSE_ROUTE, route);

/** @throws SseError `INVALID_OPTIONS` */
export function checkRouteSettings(settings: SseRouteSettings): void {
  checkObject(
    settings,
    ['method', 'slow', 'heartbeat', 'queuedBytes', 'coalesce', 'allowTransform', 'plain'],
    '@Sse()',
  );
  const { slow, heartbeat, queuedBytes, coalesce, allowTransform, plain } = settings;
  optional(slowOf, 'slow', slow);
  optional(millisecondsOf, 'heartbeat', heartbeat);
  optional(millisecondsOf, 'coalesce', coalesce);
  if (queuedBytes !== undefined) countOf('queuedBytes', queuedBytes, 1);
  optional(booleanOf, 'allowTransform', allowTransform);
  if (typeof plain === 'object') checkObject(plain, ['gap'], 'The option "plain" of @Sse()');
  else optional(booleanOf, 'plain', plain);
}

/** What the interceptor knows of a route. */
export interface RouteDescription {
  /** Whether it is Nest's `@Sse()`, not ours. */
  readonly isStock: boolean;
  readonly settings: SseRouteSettings;
  /** Whether the method, or its class, has interceptors of its own. */
  readonly isIntercepted: boolean;
  /** Whether `@SseSignal()` injects a parameter of the method. */
  readonly hasSignal: boolean;
}

/** Describes a method of a controller; undefined if it streams no events. */
export function routeOf(controller: object, method: object): RouteDescription | undefined {
  const own = Reflect.getMetadata(SSE_ROUTE, method) as DescribedRoute | undefined;
  const isStock = own === undefined && Reflect.getMetadata(STOCK_SSE, method) === true;
  if (!own && !isStock) return undefined;
  return {
    isStock,
    isIntercepted: [method, controller].some((target) => Reflect.hasMetadata(INTERCEPTORS, target)),
    settings: own?.settings ?? {},
    hasSignal: own?.hasSignal ?? false,
  };
}
