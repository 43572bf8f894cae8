import { ServiceUnavailableException, type Logger } from '@nestjs/common';
import { sparseLine, type SparseLog } from '../sparse-log.js';
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
  /** For lines about it: strangers choose when it is called, and for which channels. */
  readonly log: SparseLog;
  call(argument: unknown): unknown;
}

/** A handler that a channel's name matches. */
export interface MatchedHandler extends PatternMatch {
  readonly handler: ChannelHandler;
}

interface OfOneKind {
  readonly all: readonly ChannelHandler[];
  /** By the name of a channel. */
  readonly matched: Map<string, readonly MatchedHandler[]>;
}

/** Names whose handlers are remembered, for each kind. */
const REMEMBERED = 10_000;

/** The methods of the application that do something for some channels. */
export class ChannelHandlers {
  readonly #kinds = new Map<HandlerKind, OfOneKind>();

  /** @throws SseError `DUPLICATE_DEFINITION` if two methods tell the state of one pattern */
  add(handlers: Iterable<ChannelHandler>): void {
    for (const handler of handlers) {
      const { all } = this.#kinds.get(handler.kind) ?? { all: [] };
      if (handler.kind === 'snapshot') refuseSecond(handler, all);
      this.#kinds.set(handler.kind, { all: [...all, handler], matched: new Map() });
    }
  }

  has(kind: HandlerKind): boolean {
    return this.#kinds.has(kind);
  }

  /** The handlers whose pattern a channel's name matches, in the order in which they were found. */
  of(kind: HandlerKind, channel: string): readonly MatchedHandler[] {
    const handlers = this.#kinds.get(kind);
    if (!handlers) return [];
    const { all, matched } = handlers;
    const known = matched.get(channel);
    if (known) return known;
    const found = all.flatMap((handler) => {
      const match = handler.pattern.match(channel);
      return match ? [{ handler, ...match }] : [];
    });
    if (matched.size >= REMEMBERED) matched.clear();
    matched.set(channel, found);
    return found;
  }
}

/**
 * Asks a handler, and logs it if the answer takes too long.
 *
 * @param time milliseconds
 * @throws ServiceUnavailableException with the message, if the handler takes longer; whatever the handler throws
 */
export async function answerInTime(
  handler: ChannelHandler,
  request: { readonly channel: string },
  time: number,
  logger: Logger,
  message: string,
): Promise<unknown> {
  const refuse = (): never => {
    const { channel } = request;
    const line = `${handler.name} has not answered for "${channel}" in ${time} ms.`;
    handler.log.add('late', (leftOut) =>
      logger.error(sparseLine(line, leftOut, { handler: handler.name, channel, time })),
    );
    throw new ServiceUnavailableException(message);
  };
  return withTimeout(Promise.resolve(handler.call(request)), time, refuse, 'unref');
}

function refuseSecond({ name, pattern }: ChannelHandler, others: readonly ChannelHandler[]): void {
  const first = others.find((other) => shapeOf(other.pattern.text) === shapeOf(pattern.text));
  if (!first) return;
  throw new SseError(
    'DUPLICATE_DEFINITION',
    `${first.name} and ${name} both have @SseSnapshot() for "${pattern.text}". Leave one of them.`,
  );
}
