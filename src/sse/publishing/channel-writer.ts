import { Logger } from '@nestjs/common';
import { channelCompleted, channelPurged, publishing } from '../diagnostics/diagnostics.js';
import type { OfChannel, Publishing } from '../diagnostics/messages.js';
import { channelHash, formatId } from '../protocol/position.js';
import { SparseLog, sparseLine } from '../sparse-log.js';
import { SseError } from '../sse.errors.js';
import type { ChannelSettings, SseSettings } from '../sse.settings.js';
import { checkObject, invalid, stringOf } from '../validate.js';
import type { SseBackplane } from '../log/backplane.js';
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

/**
 * The way of an event from `hub.publish()` to the log of its channel: it is checked, encoded once, and appended to the
 * log by the backplane. That tells its followers, one `Channel` for each channel that is streamed: channels/channel.ts.
 *
 * Calls on one channel take effect in their order, also where an asynchronous schema holds one of them up. Without
 * such a schema nothing waits.
 */
export class ChannelWriter {
  /** Events that were published since the start. */
  published = 0;
  /** Events of `emit()` that could not be published, since the start. */
  failedEmits = 0;
  readonly #queue = new SerialQueue();
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
  check(channel: string): void {
    this.definitions.rulesOf(channel);
  }

  /** The pattern of the definition of a channel; undefined where none matches. */
  definitionOf(channel: string): string | undefined {
    return this.definitions.patternOf(channel);
  }

  /** @returns the event's id, or the empty string */
  publish(channel: string, event: SseEventInput, options?: PublishOptions): Promise<string> {
    if (!publishing.hasSubscribers) return this.#publish(channel, event, options);
    const context: Publishing = {
      ...this.#of(channel),
      startedAt: performance.now(),
      // JavaScript users may pass anything.
      type: (event as SseEventInput | undefined)?.type,
    };
    return publishing.tracePromise(() => this.#publish(channel, event, options, context), context);
  }

  async #publish(
    channel: string,
    event: SseEventInput,
    options: PublishOptions | undefined,
    context?: Publishing,
  ): Promise<string> {
    const rules = this.definitions.rulesOf(channel);
    const publishId = options && publishIdOf(options);
    const encoded = this.#encoded(channel, event, rules);
    const plain = encoded instanceof Promise ? await encoded : encoded;
    const stored = context ? traced(plain, context) : plain;
    const position = await this.backplane.append(channel, rules.settings, stored, publishId);
    this.published++;
    return rules.settings.history ? formatId(position, channelHash(channel)) : (stored.id ?? '');
  }

  /** Publishes an event for which nobody waits: a failure is counted, and some are logged. */
  emit(channel: string, event: SseEventInput, options?: PublishOptions): void {
    this.publish(channel, event, options).catch((error: unknown) => this.#emitFailed(channel, error));
  }

  #emitFailed(channel: string, error: unknown): void {
    this.failedEmits++;
    const code = error instanceof SseError ? error.code : 'other';
    // A timer may well emit once more while the application closes.
    if (code === 'HUB_CLOSED') return;
    this.#failures.add(code, (leftOut) => {
      const line = `An event for the channel ${JSON.stringify(channel)} was not published.`;
      this.#logger.error(sparseLine(line, leftOut, { channel, code, err: error }));
    });
  }

  /**
   * Checks and encodes an event. It returns a Promise only where a schema is asynchronous or calls before it wait. The
   * caller awaits that first of all, see {@link SerialQueue}.
   */
  #encoded(
    channel: string,
    event: SseEventInput,
    { settings, schemas }: ChannelRules,
  ): StoredEvent | Promise<StoredEvent> {
    const { maxEventBytes } = this.settings;
    if (!schemas) return storedEvent(event, idsBy(settings), maxEventBytes);
    const encode = (checked: SseEventInput): StoredEvent =>
      storedEvent(checked, idsBy(settings), maxEventBytes);
    // The event is encoded before it waits: the publisher may change the data meanwhile.
    const checked = checkedEvent(channel, event, schemas);
    return this.#queue.turn(channel, checked instanceof Promise ? checked.then(encode) : encode(checked));
  }

  /**
   * Checks and encodes the last event of a channel: one as for `publish()`, or one of the type `error`.
   *
   * @throws SseError as `publish()`
   */
  async lastEvent(channel: string, event: SseEventInput): Promise<StoredEvent> {
    const { settings, schemas } = this.definitions.rulesOf(channel);
    const checked = schemas ? await checkedEvent(channel, event, schemas) : event;
    return lastEvent(checked, idsBy(settings), this.settings.maxEventBytes);
  }

  /** Stores an event that {@link lastEvent} has made. It is kept for clients that come back. */
  async appendLast(channel: string, event: StoredEvent, publishId: string): Promise<void> {
    const { settings } = this.definitions.rulesOf(channel);
    await this.#queue.run(channel, () => this.backplane.append(channel, settings, event, publishId));
  }

  async complete(channel: string): Promise<void> {
    const { settings } = this.definitions.rulesOf(channel);
    await this.#queue.run(channel, () => this.backplane.complete(channel, settings));
    if (channelCompleted.hasSubscribers) channelCompleted.publish(this.#of(channel));
  }

  async purge(channel: string): Promise<void> {
    this.check(channel);
    await this.#queue.run(channel, () => this.backplane.purge(channel));
    if (channelPurged.hasSubscribers) channelPurged.publish(this.#of(channel));
  }

  #of(channel: string): OfChannel {
    return { hub: this.hub, channel, definition: this.definitionOf(channel) };
  }
}

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

function publishIdOf(options: PublishOptions): string | undefined {
  checkObject(options, ['publishId'], 'hub.publish()');
  const { publishId } = options;
  if (publishId === undefined || PUBLISH_ID.test(stringOf('publishId', publishId))) return publishId;
  return invalid('publishId', publishId, '1 to 200 characters, none of them a control character');
}
