import { ServiceUnavailableException, type Logger } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import { withTimeout } from '../with-timeout.js';
import { shapeOf, type ChannelPattern, type PatternMatch } from '../channels/channel-pattern.js';

/** The purpose of a method of the application, for the channels of a pattern. */
export type HandlerKind = 'authorize' | 'subscribe' | 'unsubscribe' | 'first' | 'last' | 'snapshot';

/** A method of the application, of a provider or a controller, as it was found at the start. */
export interface ChannelHandler {
  readonly kind: HandlerKind;
  readonly pattern: ChannelPattern;
  /** `OrdersAccess.mayRead()`, for messages. */
  readonly name: string;
  call(argument: unknown): unknown;
}

/** A handler that a channel's name matches. */
export interface MatchedHandler extends PatternMatch {
  readonly handler: ChannelHandler;
}

/** Names whose handlers are remembered, for each kind. */
const REMEMBERED = 10_000;

/** The methods of the application that do something for some channels. */
export class ChannelHandlers {
  readonly #handlers = new Map<HandlerKind, ChannelHandler[]>();
  readonly #known = new Map<HandlerKind, Map<string, readonly MatchedHandler[]>>();

  /** @throws SseError `DUPLICATE_DEFINITION` if two methods tell the state of one pattern */
  add(handlers: Iterable<ChannelHandler>): void {
    for (const handler of handlers) {
      const { kind } = handler;
      const others = this.#handlers.get(kind) ?? [];
      if (kind === 'snapshot') refuseSecond(handler, others);
      this.#handlers.set(kind, [...others, handler]);
    }
    this.#known.clear();
  }

  has(kind: HandlerKind): boolean {
    return this.#handlers.has(kind);
  }

  /** The handlers whose pattern a channel's name matches, in the order in which they were found. */
  of(kind: HandlerKind, channel: string): readonly MatchedHandler[] {
    const handlers = this.#handlers.get(kind);
    if (!handlers) return [];
    let known = this.#known.get(kind);
    if (!known || known.size >= REMEMBERED) {
      known = new Map<string, readonly MatchedHandler[]>();
      this.#known.set(kind, known);
    }
    let matched = known.get(channel);
    if (!matched) {
      matched = handlers.flatMap((handler) => {
        const match = handler.pattern.match(channel);
        return match ? [{ handler, ...match }] : [];
      });
      known.set(channel, matched);
    }
    return matched;
  }
}

/**
 * Asks a handler, and logs it if the answer takes too long.
 *
 * @param time milliseconds
 * @throws ServiceUnavailableException of that message, if it takes longer; whatever the handler throws
 */
export async function answerInTime(
  handler: ChannelHandler,
  request: { readonly channel: string },
  time: number,
  logger: Logger,
  message: string,
): Promise<unknown> {
  const late = (): never => {
    logger.error(`${handler.name} has not answered for "${request.channel}" in ${time} ms.`);
    throw new ServiceUnavailableException(message);
  };
  return withTimeout(Promise.resolve(handler.call(request)), time, late, 'unref');
}

function refuseSecond({ name, pattern }: ChannelHandler, others: readonly ChannelHandler[]): void {
  const first = others.find((other) => shapeOf(other.pattern.text) === shapeOf(pattern.text));
  if (!first) return;
  throw new SseError(
    'DUPLICATE_DEFINITION',
    `${first.name} and ${name} both have @SseSnapshot() for "${pattern.text}". Leave one of them.`,
  );
}
