import { Logger } from '@nestjs/common';
import { channelCompleted, channelPublished, channelPurged, publishing } from '../diagnostics/diagnostics.js';
import type { OfChannel, Publishing } from '../diagnostics/messages.js';
import { channelHash, formatId, type Position } from '../protocol/position.js';
import { SparseLog, sparseLine } from '../sparse-log.js';
import { codeOf } from '../sse.errors.js';
import type { ChannelSettings, SseSettings } from '../sse.settings.js';
import { checkObject, invalid, stringOf } from '../validate.js';
import type { SseBackplane } from '../log/backplane.js';
import { Publications } from './publications.js';
import { SerialQueue } from './serial-queue.js';
import type { ChannelDefinitions, ChannelRules } from '../channels/channel-definitions.js';
import { checkedEvent } from '../channels/event-schemas.js';
import type { SseEventInput } from '../log/sse-event.js';
import { lastEvent, storedEvent, travelling, type IdsBy, type StoredEvent } from '../log/stored-event.js';

/** Options of `hub.publish()`. */
export interface PublishOptions {
  /**
   * A name of your own for the event. A second publish with it to the same channel within two minutes stores nothing
   * and resolves with the same id. 1 to 200 characters, none of them a control character.
   */
  readonly publishId?: string;
}

/** An event that was stored. */
export interface Appended {
  readonly position: Position;
  /** The event's id, or the empty string. */
  readonly id: string;
  /** Its size. */
  readonly bytes: number;
}

/**
 * The way of an event from `hub.publish()` to the log of its channel: it is checked, encoded once, and appended to the
 * log by the backplane. That tells its followers, one `Channel` for each channel that is streamed: channels/channel.ts.
 *
 * Calls on one channel take effect in their order, also where an asynchronous schema holds one of them up, or an event
 * is being published to several channels. Otherwise nothing waits.
 */
export class ChannelWriter {
  /** Events that were published since the start. */
  published = 0;
  /** Events of `emit()` that could not be published, since the start. */
  failedEmits = 0;
  readonly queue = new SerialQueue();
  readonly #publications = new Publications((channel) => this.#of(channel));
  readonly #failures = new SparseLog();
  readonly #logger = new Logger('SseHub');

  constructor(
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly settings: Pick<SseSettings, 'maxEventBytes'>,
    /** The name of this instance, for diagnostics. */
    private readonly hub: string,
  ) {}

  /** @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL` */
  rulesOf(channel: string): ChannelRules {
    return this.definitions.rulesOf(channel);
  }

  /** The pattern of the definition of a channel; undefined where none matches. */
  definitionOf(channel: string): string | undefined {
    return this.definitions.patternOf(channel);
  }

  /** @returns the event's id, or the empty string */
  publish(channel: string, event: SseEventInput, options?: PublishOptions): Promise<string> {
    return isHeard()
      ? this.#publishTold(channel, event, options)
      : this.#publish(channel, event, options, undefined, idOf);
  }

  #publishTold(channel: string, event: SseEventInput, options: PublishOptions | undefined): Promise<string> {
    return this.#told(
      channel,
      typeIn(event),
      (context) => this.#publish(channel, event, options, context, asItIs),
      idOf,
    );
  }

  // No function on this way is `async`, and `resultOf` has no `then()` of its own: each Promise more is, with an
  // `AsyncLocalStorage` in use, the most expensive part of a publish until Node 24.
  #publish<Result>(
    channel: string,
    event: SseEventInput,
    options: PublishOptions | undefined,
    context: Publishing | undefined,
    resultOf: (appended: Appended) => Result,
  ): Promise<Result> {
    try {
      const rules = this.rulesOf(channel);
      const publishId = options && publishIdOf(options);
      const turn = this.queue.turn(channel, this.encoded(channel, event, rules));
      return turn instanceof Promise
        ? turn.then((stored) => this.#append(channel, rules.settings, stored, publishId, context, resultOf))
        : this.#append(channel, rules.settings, turn, publishId, context, resultOf);
    } catch (error) {
      const refusal = error as Error;
      return Promise.reject(refusal);
    }
  }

  /** Stores an event that {@link encoded} has made, at once: the caller has waited for its turn. */
  append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId: string | undefined,
  ): Promise<Appended> {
    if (!isHeard()) return this.#append(channel, settings, event, publishId, undefined, asItIs);
    return this.#told(
      channel,
      event.type,
      (context) => this.#append(channel, settings, event, publishId, context, asItIs),
      asItIs,
    );
  }

  /** Tells listeners of a publishing. */
  #told<Result>(
    channel: string,
    type: string | undefined,
    publish: (context: Publishing | undefined) => Promise<Appended>,
    resultOf: (appended: Appended) => Result,
  ): Promise<Result> {
    const startedAt = performance.now();
    const end = publishing.hasSubscribers
      ? this.#traced(channel, type, startedAt, publish)
      : publish(undefined);
    return channelPublished.hasSubscribers
      ? this.#publications.counted(channel, startedAt, end, resultOf)
      : end.then(resultOf);
  }

  #traced(
    channel: string,
    type: string | undefined,
    startedAt: number,
    publish: (context: Publishing) => Promise<Appended>,
  ): Promise<Appended> {
    // All fields at once, in one literal: to add one later costs more than all of this.
    const context: Publishing = {
      hub: this.hub,
      channel,
      definition: this.definitionOf(channel),
      startedAt,
      type,
      trace: undefined,
      bytes: undefined,
      result: undefined,
      error: undefined,
    };
    return publishing.tracePromise(() => publish(context), context);
  }

  #append<Result>(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId: string | undefined,
    context: Publishing | undefined,
    resultOf: (appended: Appended) => Result,
  ): Promise<Result> {
    const stored = context ? traced(event, context) : event;
    return this.backplane.append(channel, settings, stored, publishId).then((position) => {
      this.published++;
      const id = settings.history ? formatId(position, channelHash(channel)) : (event.id ?? '');
      return resultOf({ position, id, bytes: event.bytes });
    });
  }

  /** A publishing for which nobody waits has failed: it is counted, and some are logged. */
  emitFailed(channels: string | readonly string[], error: unknown): void {
    this.failedEmits++;
    const code = codeOf(error);
    // A timer may well emit once more while the application closes.
    if (code === 'HUB_CLOSED') return;
    this.#failures.add(code, (leftOut) => {
      const line = `An event for the channel ${JSON.stringify(channels)} was not published.`;
      this.#logger.error(sparseLine(line, leftOut, { channels, code, err: error }));
    });
  }

  /**
   * Checks and encodes an event. It returns a Promise only where a schema is asynchronous. Then the caller waits for its
   * turn in {@link queue}, and appends the event at once when it has come.
   */
  encoded(
    channel: string,
    event: SseEventInput,
    { settings, schemas }: ChannelRules,
  ): StoredEvent | Promise<StoredEvent> {
    if (!schemas) return this.#encode(event, settings);
    // Not put off: the publisher may change the data meanwhile.
    const checked = checkedEvent(channel, event, schemas);
    return checked instanceof Promise
      ? checked.then((one) => this.#encode(one, settings))
      : this.#encode(checked, settings);
  }

  #encode(event: SseEventInput, settings: ChannelSettings): StoredEvent {
    return storedEvent(event, idsBy(settings), this.settings.maxEventBytes);
  }

  /**
   * Checks and encodes the last event of a channel: one as for `publish()`, or one of the type `error`.
   *
   * @throws SseError as `publish()`
   */
  async lastEvent(channel: string, event: SseEventInput): Promise<StoredEvent> {
    const { settings, schemas } = this.rulesOf(channel);
    const checked = schemas ? await checkedEvent(channel, event, schemas) : event;
    return lastEvent(checked, idsBy(settings), this.settings.maxEventBytes);
  }

  /** Stores an event that {@link lastEvent} has made. It is kept for clients that come back. */
  async appendLast(channel: string, event: StoredEvent, publishId: string): Promise<void> {
    const { settings } = this.rulesOf(channel);
    await this.queue.run(channel, () => this.backplane.append(channel, settings, event, publishId));
  }

  async complete(channel: string): Promise<void> {
    const { settings } = this.rulesOf(channel);
    await this.queue.run(channel, () => this.backplane.complete(channel, settings));
    if (channelCompleted.hasSubscribers) channelCompleted.publish(this.#of(channel));
  }

  async purge(channel: string): Promise<void> {
    this.rulesOf(channel);
    await this.queue.run(channel, () => this.backplane.purge(channel));
    if (channelPurged.hasSubscribers) channelPurged.publish(this.#of(channel));
  }

  #of(channel: string): OfChannel {
    return { hub: this.hub, channel, definition: this.definitionOf(channel) };
  }
}

/** Whether anybody wants to hear of publishing. */
const isHeard = (): boolean => channelPublished.hasSubscribers || publishing.hasSubscribers;

/** The type, for listeners. JavaScript users may pass anything, also what throws here: it is refused when it is encoded. */
function typeIn(event: SseEventInput | undefined): string | undefined {
  try {
    return event?.type;
  } catch {
    return undefined;
  }
}

const idOf = ({ id }: Appended): string => id;

const asItIs = (appended: Appended): Appended => appended;

const idsBy = ({ history }: ChannelSettings): IdsBy => (history ? 'hub' : 'publisher');

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/** Notes the size of an event, and gives it the trace that a listener has set. */
function traced(event: StoredEvent, context: Publishing): StoredEvent {
  context.bytes = event.bytes;
  const { trace } = context;
  if (trace === undefined || !TRACEPARENT.test(trace)) return event;
  return travelling(event, { trace, also: event.also });
}

const PUBLISH_ID = /^[^\p{Cc}\p{Cs}]{1,200}$/u;

/** @throws SseError `INVALID_OPTIONS` */
export function publishIdOf(options: PublishOptions): string | undefined {
  checkObject(options, ['publishId'], 'hub.publish()');
  return checkedPublishId(options.publishId);
}

/** @throws SseError `INVALID_OPTIONS` */
export function checkedPublishId(publishId: string | undefined): string | undefined {
  if (publishId === undefined || PUBLISH_ID.test(stringOf('publishId', publishId))) return publishId;
  return invalid('publishId', publishId, '1 to 200 characters, none of them a control character');
}
