import { SetMetadata, type ExecutionContext, type MessageEvent } from '@nestjs/common';
import type { Gap } from '../log/sse-event.js';
import type { SlowPolicy } from '../sse.options.js';
import { booleanOf, checkObject, countOf, millisecondsOf, optional, slowOf } from '../validate.js';
import { hasOwnRoute, inPlaceOf, isServedWithin, SSE_ROUTE, type Method } from '../wrapped-method.js';

/** Why a stream cannot be given to its end. */
export interface StreamFailure {
  /** `gap`: events are gone that the client has not got. `failed`: its Observable has failed. */
  readonly reason: 'gap' | 'failed';
  /** A text for the client: for a failure the one of Nest's exception filter. */
  readonly message: string;
}

/** The form of a stream for a client that takes every event for one of the application's. */
export interface PlainStream {
  /** Makes an event of a gap, after which the stream goes on with what is left. Where it makes none, `error` is asked. */
  readonly gap?: (gap: Gap) => MessageEvent | undefined;
  /**
   * Makes the last event of a stream that cannot be given to its end. Without it, or where it returns nothing, the
   * connection is cut: the client would take a clean end for the whole.
   */
  readonly error?: (failure: StreamFailure) => MessageEvent | undefined;
  /** Headers of the response that such clients look for. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Options of one route, in place of the module's or the channel's. */
export interface SseRouteSettings {
  /** The treatment of a slow client. @defaultValue the channel's */
  readonly slow?: SlowPolicy;
  /** Milliseconds of silence after which a comment is sent; `0` for none. @defaultValue the module's */
  readonly heartbeat?: number;
  /**
   * Bytes that may wait for a client that does not read, of an Observable that is no hub stream.
   * @defaultValue the module's `limits.queuedBytes`
   */
  readonly queuedBytes?: number;
  /**
   * Milliseconds after a write in which events are collected for the next one: fewer writes, and a delay of at most that
   * time. `0` collects the events of one turn of the event loop.
   * @defaultValue 0
   */
  readonly coalesce?: number;
  /**
   * Compresses the stream once for all clients that take gzip; see {@link ChannelOptions.compress}.
   * @defaultValue as all of its channels say
   */
  readonly compress?: boolean;
  /**
   * Lets a compression middleware, or a proxy, compress the stream: drops `no-transform` from
   * Cache-Control. Events still leave at once. @defaultValue false
   */
  readonly allowTransform?: boolean;
  /**
   * Sends no event of the package's own types, for clients that take every event for one of the application's, and a clean
   * end for the end, as those of language models do. A stream that ends before its end is cut then, unless `error` or
   * `gap` make an event of the cause; and a client that is turned away gets 503, or 429 if its key has too
   * many streams, whatever `whenFull` says.
   * @defaultValue false
   */
  readonly plain?: boolean | PlainStream;
}

/** Nest's metadata keys: for a stock `@Sse()` method, its options, interceptors, `@Header()`s, and decorated parameters. */
const STOCK_SSE = '__sse__';
const STOCK_OPTIONS = '__sseOptions__';
const INTERCEPTORS = '__interceptors__';
const HEADERS = '__headers__';
const PARAMETERS = '__routeArguments__';

/** The arguments of a method's decorator. */
interface DecoratedRoute {
  readonly key: string | symbol;
  readonly settings: SseRouteSettings;
}

export const describeRoute = (route: DecoratedRoute): MethodDecorator => SetMetadata(SSE_ROUTE, route);

/** @throws SseError `INVALID_OPTIONS` */
export function checkRouteSettings(settings: SseRouteSettings): void {
  checkObject(
    settings,
    ['method', 'slow', 'heartbeat', 'queuedBytes', 'coalesce', 'compress', 'allowTransform', 'plain'],
    '@Sse()',
  );
  const { slow, heartbeat, queuedBytes, coalesce, compress, allowTransform, plain } = settings;
  optional(slowOf, 'slow', slow);
  optional(millisecondsOf, 'heartbeat', heartbeat);
  optional(millisecondsOf, 'coalesce', coalesce);
  if (queuedBytes !== undefined) countOf('queuedBytes', queuedBytes, 1);
  optional(booleanOf, 'compress', compress);
  optional(booleanOf, 'allowTransform', allowTransform);
  if (typeof plain === 'object')
    checkObject(plain, ['gap', 'error', 'headers'], 'The option "plain" of @Sse()');
  else optional(booleanOf, 'plain', plain);
}

/** A route as its decorators describe it. Decorators that wrap a method copy its metadata, as Nest's conventions ask for. */
export interface RouteDescription {
  /** Class and method, for messages. */
  readonly name: string;
  /** The class, which may have inherited the method. */
  readonly controller: object;
  readonly method: object;
  /** Whether it is Nest's `@Sse()`, not ours. */
  readonly isStock: boolean;
  readonly settings: SseRouteSettings;
  /** Interceptors of the method and of its class: classes or instances. */
  readonly interceptors: readonly object[];
  /** The value of `@Header('Cache-Control')`. */
  readonly cacheControl: (() => string) | undefined;
  /**
   * A copy of the method with Nest's mark, for other interceptors to see. With the mark on the method itself, Nest
   * would serve it.
   */
  readonly standIn: Method;
  /** Whether a decorator above `@Sse()` has put a function of its own in the place of the method. */
  readonly isWrapped: boolean;
  /** Whether a parameter of the method may ask for the signal of `@SseSignal()`. */
  readonly asksForSignal: boolean;
}

/** Describes a method of a controller; undefined if it streams no events. */
export function routeOf(controller: object, method: object): RouteDescription | undefined {
  const own = Reflect.getMetadata(SSE_ROUTE, method) as DecoratedRoute | undefined;
  const isStock = own === undefined && isStockRoute(method);
  if (!own && !isStock) return undefined;
  const key = own?.key ?? (method as { readonly name: string }).name;
  return {
    name: `${(controller as { readonly name: string }).name}.${String(key)}()`,
    controller,
    method,
    isStock,
    settings: own?.settings ?? stockSettings(method),
    interceptors: [method, controller].flatMap(
      (target) => (Reflect.getMetadata(INTERCEPTORS, target) ?? []) as object[],
    ),
    cacheControl: cacheControlOf(method),
    standIn: markedAsStream(method as Method),
    isWrapped: own !== undefined && !isServedWithin(method),
    asksForSignal: mayAskForSignal(parametersOf(controller, key)),
  };
}

/** Whether a request is for a method with `@Sse()`, of this package or of Nest: for guards and interceptors. */
export function isSseRoute(context: Pick<ExecutionContext, 'getHandler'>): boolean {
  const handler = context.getHandler() as object;
  return hasOwnRoute(handler) || isStockRoute(handler);
}

const isStockRoute = (method: object): boolean => Reflect.getMetadata(STOCK_SSE, method) === true;

function markedAsStream(method: Method): Method {
  const standIn = inPlaceOf(method, function (this: unknown, ...args) {
    return method.apply(this, args);
  });
  Reflect.defineMetadata(STOCK_SSE, true, standIn);
  return standIn;
}

/** Nest has another default for how much may wait; the module's holds for all routes. */
function stockSettings(method: object): SseRouteSettings {
  const options = Reflect.getMetadata(STOCK_OPTIONS, method) as { maxPendingDataLength?: number } | undefined;
  const most = options?.maxPendingDataLength;
  if (most === undefined || Number.isNaN(most)) return {};
  return { queuedBytes: most === 0 ? Infinity : most };
}

/** A decorated parameter of a method. */
interface RouteParameter {
  readonly index: number;
  /** The function that a decorator made by `createParamDecorator()` calls; undefined for Nest's own. */
  readonly factory?: unknown;
}

/** The decorated parameters of a method, each under its kind, as Nest numbers it, and its index. */
export const parametersOf = (
  controller: object,
  key: string | symbol,
): Readonly<Record<string, RouteParameter>> =>
  (Reflect.getMetadata(PARAMETERS, controller, key) ?? {}) as Record<string, RouteParameter>;

/** Nest's kind of a parameter with `@Req()`. */
const REQUEST = '0:';

/** `@SseSignal()` looks like any other decorator that an application has made itself, and the request has the signal, too. */
const mayAskForSignal = (parameters: ReturnType<typeof parametersOf>): boolean =>
  Object.entries(parameters).some(([kind, { factory }]) => factory !== undefined || kind.startsWith(REQUEST));

type HeaderValue = string | (() => string);

function cacheControlOf(method: object): (() => string) | undefined {
  const headers = (Reflect.getMetadata(HEADERS, method) ?? []) as { name: string; value: HeaderValue }[];
  const value = headers.find(({ name }) => name.toLowerCase() === 'cache-control')?.value;
  return typeof value === 'string' ? () => value : value;
}
