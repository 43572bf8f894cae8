import { AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import type { ChannelHandlers, HandlerKind } from '../handlers/channel-handlers.js';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { ChannelObserver, Channels } from '../channels/channels.js';
import { hookFailed } from '../diagnostics/diagnostics.js';
import type { ConnectionFeatures, ConnectionHandle, StreamObserver } from '../http/connection-part.js';
import { sparseLine } from '../sparse-log.js';
import type { ChannelSubscription, ChannelUse } from './hooks.decorators.js';

type SubscriptionDetails = Omit<ChannelSubscription, keyof ChannelUse>;

/** Calls methods of the application when clients begin and end to stream a channel. */
export class Hooks implements ChannelObserver, StreamObserver {
  readonly #logger = new Logger('SseHub');
  /** Hooks belong to no request: what one starts goes on when the request that has led to it is long over. */
  readonly #scope = new AsyncResource('SseHooks');
  readonly #uses = new Alternation((channel, kind) => this.#call(kind, channel, {}));
  readonly #subscriptions = new WeakMap<ConnectionHandle, Alternation>();

  constructor(
    private readonly handlers: ChannelHandlers,
    private readonly channels: Channels,
    private readonly features: ConnectionFeatures,
    private readonly definitions: ChannelDefinitions,
    /** The name of this instance, for diagnostics. */
    private readonly hub: string,
  ) {}

  /** To be called when the methods of the application are known. */
  start(): void {
    const { handlers, channels, features } = this;
    if (handlers.has('first') || handlers.has('last')) channels.observe(this);
    if (handlers.has('subscribe') || handlers.has('unsubscribe')) features.observe(this);
  }

  used(channel: string): void {
    this.#used(channel, 'first');
  }

  unused(channel: string): void {
    this.#used(channel, 'last');
  }

  began(channel: string, subscriber: ConnectionHandle): void {
    this.#subscribed(channel, subscriber, 'subscribe');
  }

  ended(channel: string, subscriber: ConnectionHandle): void {
    this.#subscribed(channel, subscriber, 'unsubscribe');
  }

  #used(channel: string, kind: 'first' | 'last'): void {
    if (!this.#hasHook(channel, 'first', 'last')) return;
    this.#scope.runInAsyncScope(() => this.#uses.add(channel, kind));
  }

  #subscribed(channel: string, subscriber: ConnectionHandle, kind: 'subscribe' | 'unsubscribe'): void {
    if (!this.#hasHook(channel, 'subscribe', 'unsubscribe')) return;
    let alternation = this.#subscriptions.get(subscriber);
    if (!alternation) {
      const { id: connection, identity, request } = subscriber;
      const details: SubscriptionDetails = { connection, user: identity?.user, request };
      alternation = new Alternation((name, change) => this.#call(change, name, details));
      this.#subscriptions.set(subscriber, alternation);
    }
    this.#scope.runInAsyncScope(() => alternation.add(channel, kind));
  }

  #hasHook(channel: string, ...kinds: HandlerKind[]): boolean {
    return kinds.some((kind) => this.handlers.of(kind, channel).length > 0);
  }

  /** Never rejects. */
  async #call(kind: HandlerKind, channel: string, details: object): Promise<void> {
    await Promise.all(
      this.handlers.of(kind, channel).map(async ({ handler, params }) => {
        try {
          await handler.call({ channel, params, ...details });
        } catch (error) {
          this.#tell(handler.name, channel, error);
          // Anything may be thrown, also what has no string form.
          const text = error instanceof Error ? String(error) : inspect(error);
          const line = `${handler.name} has failed for "${channel}": ${text}`;
          handler.log.add('failed', (leftOut) =>
            this.#logger.error(sparseLine(line, leftOut, { hook: handler.name, channel, err: error })),
          );
        }
      }),
    );
  }

  #tell(hook: string, channel: string, error: unknown): void {
    if (!hookFailed.hasSubscribers) return;
    const definition = this.definitions.patternOf(channel);
    hookFailed.publish({ hub: this.hub, channel, definition, hook, error });
  }
}

/**
 * Tells changes that go to and fro, such as first and last, one after the other for each key, and never in the turn in
 * which they happen. Two changes that wait undo each other, so of each key at most one waits.
 */
class Alternation {
  /** By key, while one of its changes is being told: the change that waits. */
  readonly #waiting = new Map<string, HandlerKind | undefined>();

  /** @param tell never rejects */
  constructor(private readonly tell: (key: string, change: HandlerKind) => Promise<void>) {}

  add(key: string, change: HandlerKind): void {
    const isBusy = this.#waiting.has(key);
    this.#waiting.set(key, this.#waiting.get(key) ? undefined : change);
    if (!isBusy) void this.#tellAll(key);
  }

  async #tellAll(key: string): Promise<void> {
    await Promise.resolve();
    let change: HandlerKind | undefined;
    while ((change = this.#waiting.get(key))) {
      this.#waiting.set(key, undefined);
      await this.tell(key, change);
    }
    this.#waiting.delete(key);
  }
}
