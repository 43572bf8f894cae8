import { AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { Alternation } from './alternation.js';
import type { ChannelHandlers, HandlerKind, MatchedHandler } from '../handlers/channel-handlers.js';
import type { ChannelObserver, Channels } from '../channels/channels.js';
import type { ConnectionFeatures, ConnectionHandle, StreamObserver } from '../http/connection-part.js';

/** What a method with `@OnSubscribe()` or `@OnUnsubscribe()` is told. */
export interface ChannelSubscription<
  Params = Readonly<Record<string, string>>,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- which adapter's request it is, the application knows
  Request = any,
> extends ChannelUse<Params> {
  /** The user, as `identify` says. */
  readonly user: string | undefined;
  /** The request that the stream belongs to, as the adapter has it. */
  readonly request: Request;
  /** The id of the connection, as `hub.connections()` has it. */
  readonly connection: string;
}

/** What a method with `@OnFirstSubscriber()` or `@OnLastUnsubscribed()` is told. */
export interface ChannelUse<Params = Readonly<Record<string, string>>> {
  readonly channel: string;
  /** The values of the pattern's parameters, decoded. */
  readonly params: Params;
}

/** Tells methods of the application who begins and ends to stream what. */
export class Hooks implements ChannelObserver, StreamObserver {
  readonly #logger = new Logger('SseHub');
  /** They belong to no request: what one starts goes on when the request that has led to it is long over. */
  readonly #scope = new AsyncResource('SseHooks');
  readonly #uses = new Alternation((channel, isUsed) => this.#tell(isUsed ? 'first' : 'last', channel, {}));
  readonly #subscriptions = new WeakMap<ConnectionHandle, Alternation>();

  constructor(
    private readonly handlers: ChannelHandlers,
    private readonly channels: Channels,
    private readonly features: ConnectionFeatures,
  ) {}

  /** To be called when the methods of the application are known. */
  start(): void {
    const { handlers, channels, features } = this;
    if (handlers.has('first') || handlers.has('last')) channels.observe(this);
    if (handlers.has('subscribe') || handlers.has('unsubscribe')) features.observe(this);
  }

  used(channel: string): void {
    this.#used(channel, true);
  }

  unused(channel: string): void {
    this.#used(channel, false);
  }

  began(channel: string, subscriber: ConnectionHandle): void {
    this.#subscribed(channel, subscriber, true);
  }

  ended(channel: string, subscriber: ConnectionHandle): void {
    this.#subscribed(channel, subscriber, false);
  }

  #used(channel: string, isUsed: boolean): void {
    if (!this.#isOfInterest(channel, 'first', 'last')) return;
    this.#scope.runInAsyncScope(() => this.#uses.set(channel, isUsed));
  }

  #subscribed(channel: string, subscriber: ConnectionHandle, isSubscribed: boolean): void {
    if (!this.#isOfInterest(channel, 'subscribe', 'unsubscribe')) return;
    let alternation = this.#subscriptions.get(subscriber);
    if (!alternation) {
      alternation = new Alternation((name, isOn) =>
        this.#tell(isOn ? 'subscribe' : 'unsubscribe', name, detailsOf(subscriber)),
      );
      this.#subscriptions.set(subscriber, alternation);
    }
    this.#scope.runInAsyncScope(() => alternation.set(channel, isSubscribed));
  }

  #isOfInterest(channel: string, ...kinds: HandlerKind[]): boolean {
    return kinds.some((kind) => this.handlers.of(kind, channel).length > 0);
  }

  async #tell(kind: HandlerKind, channel: string, details: object): Promise<void> {
    await Promise.all(this.handlers.of(kind, channel).map((hook) => this.#call(hook, channel, details)));
  }

  async #call({ handler, params }: MatchedHandler, channel: string, details: object): Promise<void> {
    try {
      await handler.call({ channel, params, ...details });
    } catch (error) {
      // Anything may be thrown, also what has no string form.
      const [text, stack] = error instanceof Error ? [String(error), error.stack] : [inspect(error)];
      this.#logger.error(`${handler.name} has failed for "${channel}": ${text}`, stack);
    }
  }
}

const detailsOf = ({
  id,
  identity,
  request,
}: ConnectionHandle): Pick<ChannelSubscription, 'connection' | 'user' | 'request'> => ({
  connection: id,
  user: identity?.user,
  request,
});
