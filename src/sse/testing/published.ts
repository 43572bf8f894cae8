import type { INestApplicationContext } from '@nestjs/common';
import { SseBackplane } from '../log/backplane.js';
import type { EventsOf, PublishedEvent } from '../log/sse-event.js';
import type { StoredEvent } from '../log/stored-event.js';
import { channelHash, formatId, type Position } from '../protocol/position.js';
import { EventReader } from './event-reader.js';

/** What was published to one channel. It has an end if the channel is completed. */
export interface PublishedIn<Event extends PublishedEvent = PublishedEvent> extends EventReader<Event> {
  readonly channel: string;
  /** Whether `complete()` was called for the channel. */
  readonly isCompleted: boolean;
}

/** What was published to all channels, in its order. It has no end, so `rest()` and `for await` fail. */
export interface Published extends EventReader<PublishedEvent> {
  /** What was published to one channel. Each call for it gives the same object. */
  in<Name extends string>(channel: Name): PublishedIn<PublishedEvent<EventsOf<Name>>>;
}

/**
 * Records what is published from now on: by the hub, by `@Publish()`, by `pipe()` and by presence. The hub is the real one.
 *
 * @param context a testing module that is compiled, or an application
 */
export function recordPublished(context: Pick<INestApplicationContext, 'get'>): Published {
  const backplane = context.get<SseBackplane>(SseBackplane, { strict: false });
  const published = new Recording();
  // Everything that is published anywhere comes by here, checked and with its data encoded.
  const append = backplane.append.bind(backplane);
  backplane.append = async (channel, settings, event, publishId) => {
    const position = await append(channel, settings, event, publishId);
    published.appended(channel, position, event, settings.history ? 'hub' : 'publisher');
    return position;
  };
  const complete = backplane.complete.bind(backplane);
  backplane.complete = async (channel, settings) => {
    await complete(channel, settings);
    published.completed(channel);
  };
  return published;
}

class Recording extends EventReader<PublishedEvent> implements Published {
  readonly #channels = new Map<string, RecordingIn>();
  /** The places of all events: a second publish with the same `publishId` is answered with the place of the first. */
  readonly #places = new Set<string>();

  in<Name extends string>(channel: Name): PublishedIn<PublishedEvent<EventsOf<Name>>> {
    return this.#in(channel) as unknown as PublishedIn<PublishedEvent<EventsOf<Name>>>;
  }

  appended(channel: string, position: Position, stored: StoredEvent, idsBy: 'hub' | 'publisher'): void {
    const place = `${channel}\n${formatId(position, '')}`;
    if (this.#places.has(place)) return;
    this.#places.add(place);
    const id = idsBy === 'hub' ? formatId(position, channelHash(channel)) : stored.id;
    const event = eventOf(channel, id, stored);
    this.add(event);
    this.#in(channel).add(event);
  }

  completed(channel: string): void {
    this.#in(channel).complete();
  }

  #in(channel: string): RecordingIn {
    const known = this.#channels.get(channel) ?? new RecordingIn(channel);
    this.#channels.set(channel, known);
    return known;
  }

  protected override story(): string {
    return `What is published is recorded. ${super.story()}`;
  }
}

class RecordingIn extends EventReader<PublishedEvent> implements PublishedIn {
  isCompleted = false;

  constructor(readonly channel: string) {
    super();
  }

  override add(event: PublishedEvent): void {
    super.add(event);
  }

  complete(): void {
    this.isCompleted = true;
    this.isOver = true;
  }

  protected override story(): string {
    return `What is published to ${JSON.stringify(this.channel)} is recorded. ${super.story()}`;
  }
}

/** As a subscriber would see it. */
function eventOf(channel: string, id: string | undefined, stored: StoredEvent): PublishedEvent {
  const { type, data, json, retry, comment } = stored;
  return {
    channel,
    ...(id !== undefined && { id }),
    ...(type !== undefined && { type }),
    ...(data !== undefined && { data: json ? (JSON.parse(data) as unknown) : data }),
    ...(retry !== undefined && { retry }),
    ...(comment !== undefined && { comment }),
  } as PublishedEvent;
}
