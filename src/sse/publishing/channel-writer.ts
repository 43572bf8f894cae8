import { channelHash, formatId } from '../protocol/position.js';
import { checkObject, invalid, stringOf } from '../validate.js';
import type { SseBackplane } from '../log/backplane.js';
import { SerialQueue } from './serial-queue.js';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { checkedEvent, type EventSchemas } from '../channels/event-schemas.js';
import type { SseEventInput } from '../log/sse-event.js';
import { lastEvent, storedEvent, type StoredEvent } from '../log/stored-event.js';

/** Options of `hub.publish()`. */
export interface PublishOptions {
  /**
   * Makes a second attempt the same publication: the event is stored once, and both attempts give its id.
   * 1 to 200 characters, none of them a control character; remembered for two minutes, per channel.
   */
  readonly publishId?: string;
}

/** Writes to the logs of channels, in the order of the calls: events, once they are checked, and ends. */
export class ChannelWriter {
  #published = 0;
  readonly #order = new SerialQueue();

  constructor(
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly maxEventBytes: number,
  ) {}

  /** Events that were published since the start. */
  get published(): number {
    return this.#published;
  }

  /** @returns the event's id, or the empty string */
  async publish(channel: string, event: SseEventInput, options?: PublishOptions): Promise<string> {
    const { settings, schemas } = this.definitions.rulesOf(channel);
    const hasHistory = settings.history !== undefined;
    const publishId = options && publishIdOf(options);
    const encoded = schemas
      ? this.#checked(channel, event, schemas, !hasHistory)
      : storedEvent(event, !hasHistory, this.maxEventBytes);
    const stored = encoded instanceof Promise ? await encoded : encoded;
    const position = await this.backplane.append(channel, settings, stored, publishId);
    this.#published++;
    return hasHistory ? formatId(position, channelHash(channel)) : (stored.id ?? '');
  }

  /** Checks an event and encodes it; a Promise, where that takes a turn, is to be awaited as it is. */
  #checked(
    channel: string,
    event: SseEventInput,
    schemas: EventSchemas,
    ownIds: boolean,
  ): StoredEvent | Promise<StoredEvent> {
    const encode = (checked: SseEventInput): StoredEvent => storedEvent(checked, ownIds, this.maxEventBytes);
    // It is encoded before it waits: whoever publishes may change the data meanwhile.
    const checked = checkedEvent(channel, event, schemas);
    const stored = checked instanceof Promise ? checked.then(encode) : encode(checked);
    const waits = stored instanceof Promise || this.#order.isAwaited(channel);
    return waits ? this.#order.turn(channel, stored) : stored;
  }

  /**
   * Checks and encodes what a channel is to end with: an event as for `publish()`, or one of the type `error`.
   *
   * @throws SseError as `publish()`
   */
  async lastEvent(channel: string, event: SseEventInput): Promise<StoredEvent> {
    const { settings, schemas } = this.definitions.rulesOf(channel);
    const checked = schemas ? await checkedEvent(channel, event, schemas) : event;
    return lastEvent(checked, settings.history === undefined, this.maxEventBytes);
  }

  /** Stores what {@link lastEvent} has made. It is kept for those who come back. */
  async tell(channel: string, event: StoredEvent, publishId: string): Promise<void> {
    const { settings } = this.definitions.rulesOf(channel);
    if (this.#order.isAwaited(channel)) await this.#order.turn(channel, undefined);
    await this.backplane.append(channel, settings, event, publishId);
  }

  async complete(channel: string): Promise<void> {
    const { settings } = this.definitions.rulesOf(channel);
    if (this.#order.isAwaited(channel)) await this.#order.turn(channel, undefined);
    await this.backplane.complete(channel, settings);
  }

  async purge(channel: string): Promise<void> {
    this.definitions.rulesOf(channel);
    if (this.#order.isAwaited(channel)) await this.#order.turn(channel, undefined);
    await this.backplane.purge(channel);
  }
}

const PUBLISH_ID = /^[^\p{Cc}\p{Cs}]{1,200}$/u;

function publishIdOf(options: PublishOptions): string | undefined {
  checkObject(options, ['publishId'], 'hub.publish()');
  const { publishId } = options;
  if (publishId === undefined || PUBLISH_ID.test(stringOf('publishId', publishId))) return publishId;
  return invalid('publishId', publishId, '1 to 200 characters, none of them a control character');
}
