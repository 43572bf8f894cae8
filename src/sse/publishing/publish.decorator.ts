import { Inject } from '@nestjs/common';
import { identity, isObservable, type Observable } from 'rxjs';
import { isObject, isThenable } from '../values.js';
import { hasOwnRoute, inPlaceOf, type Method } from '../wrapped-method.js';
import { definedBy, type ChannelDefinition } from '../channels/channel-definition.js';
import { ChannelPattern } from '../channels/channel-pattern.js';
import { isAsyncIterable, publishedItems, publishedObservable } from './published-source.js';
import type { EventMap, SseEventInput } from '../log/sse-event.js';
import { COPY, type NamedChannels, type PackageCopy } from '../package-copy.js';
import { storedEvent } from '../log/stored-event.js';
import { SseError } from '../sse.errors.js';
import { checkObject, functionOf, optional } from '../validate.js';

/** Options of `@Publish()`. */
export interface PublishedAs<Type extends string = string, Result = never, Data = unknown> {
  /** The type of the events. @defaultValue none, which is `message` to a client */
  readonly type?: Type;
  /**
   * Makes the data of an event of what the method has returned, or of one item of it: to leave out what is not for
   * everybody who listens. An interceptor such as Nest's `ClassSerializerInterceptor` sees what the caller gets, and
   * not what is published. @defaultValue the result as it is
   *
   * @example
   * ```ts
   * @Publish('users', { type: 'created', data: (user: User) => instanceToPlain(user) })
   * async create(user: NewUser): Promise<User> { … }
   * ```
   */
  readonly data?: (result: Result) => Data;
}

/** Data that comes later: a Promise or a source. */
type Emitted<Data> =
  PromiseLike<Data | Observable<Data> | AsyncIterable<Data>> | Observable<Data> | AsyncIterable<Data>;

/**
 * Decorates a method that returns a Promise, an Observable or an async iterable of such data, and whose first
 * parameters are of these types.
 */
export type PublishDecorator<Data, Args extends readonly unknown[] = []> = <
  Decorated extends (...args: [...Args, ...never[]]) => Emitted<Data>,
>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Decorated>,
) => void;

/** Gives the name of the channel for what a method has returned, or for one item of it. */
type ChannelOf<Data, Args extends readonly unknown[]> = (result: Data, args: Args) => string;

/** The arguments of `@Publish()` on a method. */
export interface DescribedPublishing {
  /** Undefined where the decorator was given something else. */
  readonly definition: NamedChannels | undefined;
  readonly copy: PackageCopy;
}

// Other copies of this package read it, too.
const PUBLISHING = 'nestjs-sse-hub:publishing';

export const describedPublishing = (prototype: object, key: string): DescribedPublishing | undefined =>
  Reflect.getMetadata(PUBLISHING, prototype, key) as DescribedPublishing | undefined;

/**
 * Injection token of the application's hub. The hub may be of another copy of this package, where its class `SseHub` is
 * another.
 */
export const SHARED_HUB = Symbol.for('nestjs-sse-hub:SseHub');

interface SharedHub {
  publish(channel: string, event: SseEventInput): Promise<unknown>;
}

/** The property of an instance into which Nest injects its hub. */
const HUB = Symbol('SseHub');

/**
 * Publishes the result of a method of a provider or a controller as the data of an event; of an Observable or an async
 * iterable each item. A method that throws publishes nothing, and its caller sees its error.
 *
 * The caller gets the result once it is published, so it comes as a Promise: a method that is not asynchronous does not
 * compile. An item of an Observable or an async iterable is published before it is handed on, once for each subscription
 * or iteration. Where publishing fails, the caller gets the SseError, as a rejection or in place of the item; the method
 * has already done its work then.
 *
 * The parameters of a pattern are filled from the result, or else from the first argument that is an object with
 * a string or a number of that name. For an Observable or an async iterable each item is such a result.
 *
 * It needs an instance that Nest has made of its class: the hub is injected.
 *
 * @param channel a name, a pattern with `:parameters`, a definition, or a function that gives the name
 * @throws SseError when it is applied: `INVALID_CHANNEL`, `INVALID_OPTIONS`, `INVALID_EVENT`, `RESERVED_TYPE`.
 * When the method is called: `MODULE_MISSING`, at once; `INVALID_CHANNEL` for a parameter that cannot be filled,
 * and whatever `hub.publish()` says; `SOURCE_TOO_FAST` for an Observable of which too many items wait
 *
 * @example
 * ```ts
 * @Publish('orders/:id', { type: 'shipped' })
 * async ship(order: Order): Promise<Shipment> { … }
 * ```
 */
export function Publish<
  Pattern extends string,
  Events extends EventMap,
  Inputs extends EventMap,
  Type extends keyof Inputs & string = keyof Inputs & 'message',
>(
  channel: ChannelDefinition<Pattern, Events, Inputs>,
  options?: PublishedAs<Type> & { readonly data?: never },
): PublishDecorator<Inputs[Type]>;
export function Publish<
  Pattern extends string,
  Events extends EventMap,
  Inputs extends EventMap,
  Result,
  Type extends keyof Inputs & string = keyof Inputs & 'message',
>(
  channel: ChannelDefinition<Pattern, Events, Inputs>,
  options: PublishedAs<Type, Result, Inputs[Type]>,
): PublishDecorator<Result>;
export function Publish<Data = unknown, Args extends readonly unknown[] = []>(
  channel: string | ChannelOf<Data, Args>,
  options?: PublishedAs<string, Data>,
): PublishDecorator<Data, Args>;
export function Publish(
  channel: string | ChannelDefinition | ChannelOf<unknown, unknown[]>,
  options: PublishedAs<string, unknown> = {},
): PublishDecorator<unknown> {
  checkObject(options, ['type', 'data'], '@Publish()');
  const { type } = options;
  const dataOf = optional(functionOf<(result: unknown) => unknown>, 'data', options.data) ?? identity;
  // Checked here, so that a wrong type is found where it is written.
  if (type !== undefined) storedEvent({ type, data: '' }, 'hub', Infinity);
  const channelOf = typeof channel === 'function' ? channel : filled(channel);
  const definition = definedBy(channel) && (channel as ChannelDefinition);
  const described: DescribedPublishing = { definition, copy: COPY };
  return (target, key, descriptor) => {
    const method = descriptor.value as Method | undefined;
    const where = `${target.constructor.name}.${String(key)}()`;
    if (typeof target === 'function' || typeof method !== 'function') {
      throw new SseError('INVALID_OPTIONS', '@Publish() is for methods of instances.');
    }
    if (hasOwnRoute(method)) {
      throw new SseError('INVALID_OPTIONS', `Put @Publish() of ${where} below its @Sse().`);
    }
    Inject(SHARED_HUB)(target, HUB);
    Reflect.defineMetadata(PUBLISHING, described, target, key);
    const wrapper: Method = function (this: unknown, ...args) {
      const hub = (this as { readonly [HUB]?: SharedHub } | undefined)?.[HUB];
      if (!hub) {
        throw new SseError(
          'MODULE_MISSING',
          `${where} has no hub to publish with. Nest has to make the instance, in an application that imports SseModule.forRoot(), and the method must not be called in its constructor.`,
        );
      }
      const publish = async (item: unknown): Promise<unknown> => {
        const data = dataOf(item);
        return hub.publish(channelOf(item, args), type === undefined ? { data } : { type, data });
      };
      return published(method.apply(this, args), publish);
    };
    descriptor.value = inPlaceOf(method, wrapper) as typeof descriptor.value & Method;
  };
}

/** The result for the caller of a method, whose own result is published. */
function published(result: unknown, publish: (data: unknown) => Promise<unknown>): unknown {
  if (isThenable(result)) return Promise.resolve(result).then((value) => published(value, publish));
  if (isObservable(result)) return publishedObservable(result, publish);
  if (isAsyncIterable(result)) return publishedItems(result, publish);
  if (!isLost(result)) return publish(result).then(() => result);
  const fault = 'A method with @Publish() has returned an iterable that has no JSON form.';
  const remedy = 'Return an array for one event, or an async iterable for one event of each item.';
  return Promise.reject(new SseError('NOT_SERIALIZABLE', `${fault} ${remedy}`));
}

/** Whether JSON would drop all its items, as those of a Set, a Map or a synchronous generator. */
const isLost = (value: unknown): boolean =>
  isObject(value) && !Array.isArray(value) && Symbol.iterator in value && !('toJSON' in value);

function filled(channel: string | ChannelDefinition): ChannelOf<unknown, unknown[]> {
  if (typeof channel !== 'string' && !definedBy(channel)) {
    throw new SseError(
      'INVALID_CHANNEL',
      '@Publish() takes a name, a pattern, a definition, or a function (result, args) that gives a name.',
    );
  }
  const pattern = new ChannelPattern(typeof channel === 'string' ? channel : channel.pattern);
  return (result, args) => {
    const candidates = [result, ...args];
    const values = pattern.params.map((param) => [param, valueOf(param, candidates, pattern)] as const);
    const params = Object.fromEntries(values);
    // The compiler does not know here which parameters a definition takes.
    return typeof channel === 'string' ? pattern.fill(params) : channel.of(...([params] as unknown as []));
  };
}

function valueOf(param: string, candidates: readonly unknown[], { text }: ChannelPattern): string | number {
  for (const candidate of candidates) {
    if (!isObject(candidate)) continue;
    const value = (candidate as Readonly<Record<string, unknown>>)[param];
    if (typeof value === 'string' || typeof value === 'number') return value;
  }
  throw new SseError(
    'INVALID_CHANNEL',
    `Neither the result nor an argument has the parameter "${param}" of the channel "${text}". Give @Publish() a function (result, args) that gives the name.`,
  );
}
