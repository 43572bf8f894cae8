import type { ChannelRules } from '../channels/channel-definitions.js';
import type { InputsOf, SseEventInput } from '../log/sse-event.js';
import type { StoredEvent } from '../log/stored-event.js';
import { reasonOf, SseError } from '../sse.errors.js';
import { checkObject, listOf } from '../validate.js';
import { attempt, inOrder } from './attempts.js';
import { checkedPublishId, type ChannelWriter, type PublishOptions } from './channel-writer.js';

/** The most events of one call. */
export const MOST_EVENTS = 1_000;

/** One event of `hub.publishMany()`. */
export interface Publication<Name extends string = string> extends PublishOptions {
  readonly channel: Name;
  readonly event: SseEventInput<InputsOf<Name>>;
}

/** What has become of one event of `hub.publishMany()`. */
export type PublishOutcome =
  | {
      readonly status: 'published';
      /** The event's id, or the empty string, as of `publish()`. */
      readonly id: string;
    }
  | {
      readonly status: 'failed';
      /** The error that `publish()` would have rejected with: `PUBLISH_UNCERTAIN` says that the event may be stored. */
      readonly error: SseError;
    };

/** A publication whose fields are checked. */
interface Checked {
  readonly channel: string;
  readonly event: SseEventInput;
  readonly rules: ChannelRules;
  readonly publishId: string | undefined;
}

/**
 * Publishes events in one go: all are checked and encoded first, then appended in the same turn of the event loop, so that a
 * client of a server sends them together.
 *
 * @throws SseError as `hub.publishMany()`
 */
export async function publishMany(
  writer: ChannelWriter,
  publications: readonly Publication[],
): Promise<PublishOutcome[]> {
  listOf('publications', publications, 'objects { channel, event, publishId? }');
  if (publications.length > MOST_EVENTS) {
    const fault = `hub.publishMany() takes at most ${MOST_EVENTS} events, not ${publications.length}.`;
    throw new SseError('TOO_MANY_EVENTS', `${fault} Publish them in several calls.`);
  }
  const checked = publications.map((publication, index) => checkedAt(index, writer, publication));
  const encoded = checked.map(({ channel, event, rules }) =>
    attempt(() => writer.encoded(channel, event, rules)),
  );
  const channels = new Set(checked.map(({ channel }) => channel));
  const turn = writer.queue.turnInAll(channels, inOrder(encoded, faultAt));
  const events = turn instanceof Promise ? await turn : turn;
  return Promise.all(checked.map((one, index) => outcomeOf(writer, one, events[index] as StoredEvent)));
}

function checkedAt(index: number, writer: ChannelWriter, publication: Publication): Checked {
  try {
    checkObject(publication, ['channel', 'event', 'publishId'], 'It');
    const { channel, event, publishId } = publication;
    return { channel, event, rules: writer.rulesOf(channel), publishId: checkedPublishId(publishId) };
  } catch (error) {
    throw faultAt(error, index);
  }
}

/** The error of one event, with its place in the list. */
function faultAt(error: unknown, index: number): unknown {
  if (!(error instanceof SseError)) return error;
  const message = `Nothing was published, because of the event at index ${index}: ${error.message}`;
  return new SseError(error.code, message, { cause: error.cause ?? error });
}

async function outcomeOf(
  writer: ChannelWriter,
  { channel, rules, publishId }: Checked,
  event: StoredEvent,
): Promise<PublishOutcome> {
  try {
    const { id } = await writer.append(channel, rules.settings, event, publishId);
    return { status: 'published', id };
  } catch (error) {
    return { status: 'failed', error: error instanceof SseError ? error : uncertain(error) };
  }
}

/** A backplane has failed otherwise than its port says: the event may be stored. */
const uncertain = (cause: unknown): SseError =>
  new SseError('PUBLISH_UNCERTAIN', `The backplane has failed: ${reasonOf(cause)}`, { cause });
