import type { ChannelRules } from '../channels/channel-definitions.js';
import type { SseEventInput } from '../log/sse-event.js';
import { travelling, type EventCopy, type StoredEvent } from '../log/stored-event.js';
import { invalidChannel, reasonOf, SseError } from '../sse.errors.js';
import { attempt, firstFailure, inOrder } from './attempts.js';
import { publishIdOf, type ChannelWriter, type PublishOptions } from './channel-writer.js';

/** The most channels of one event: each copy carries the names of the channels before it. */
export const MOST_CHANNELS = 16;

/**
 * Publishes an event to several channels, in their order. Each copy carries the positions of those before it, so a
 * reader of several of these channels hands the event on once: streams/event-copies.ts.
 *
 * The call has its place in the order of each channel from the beginning. What is published to a later channel meanwhile waits
 * until the copies before are stored.
 *
 * @returns the ids, in the order of the channels
 */
export async function publishCopies(
  writer: ChannelWriter,
  channels: readonly string[],
  event: SseEventInput,
  options?: PublishOptions,
): Promise<string[]> {
  checkList(channels);
  const rules = channels.map((channel) => writer.rulesOf(channel));
  const publishId = options && publishIdOf(options);
  const encoded = encodedFor(writer, channels, event, rules);
  const stored: EventCopy[] = [];
  const append = async (index: number, ready: typeof encoded): Promise<string> => {
    const channel = channels[index] as string;
    const turn = writer.queue.turn(channel, ready);
    const copies = turn instanceof Promise ? await turn : turn;
    const copy = index === 0 ? copies[0] : travelling(copies[index] as StoredEvent, { also: [...stored] });
    const { settings } = rules[index] as ChannelRules;
    const { position, id } = await writer.append(channel, settings, copy as StoredEvent, publishId);
    stored.push({ channel, offset: position.offset, mark: position.mark });
    return id;
  };
  let before = encoded;
  const appending = channels.map((_channel, index) => {
    const appended = append(index, before);
    before = appended.then(() => encoded);
    before.catch(() => undefined); // it is told once, below
    return appended;
  });
  const outcomes = await Promise.allSettled(appending);
  const failure = firstFailure(outcomes);
  if (failure) throw partly(channels, failure.index, failure.reason);
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<string>).value);
}

/** @throws SseError `INVALID_CHANNEL`, `TOO_MANY_CHANNELS` */
function checkList(channels: readonly string[]): void {
  if (channels.length === 0) throw new SseError('INVALID_CHANNEL', 'Name at least one channel.');
  if (channels.length > MOST_CHANNELS) {
    const fault = `An event is published to at most ${MOST_CHANNELS} channels at once, not to ${channels.length}.`;
    throw new SseError('TOO_MANY_CHANNELS', `${fault} Publish to one channel that all of them read instead.`);
  }
  const twice = channels.find((channel, index) => channels.indexOf(channel) !== index);
  if (twice !== undefined) throw invalidChannel('name', twice, 'is named twice');
}

/** The event as each channel gets it. It is checked and encoded once for all channels of the same definition. */
function encodedFor(
  writer: ChannelWriter,
  channels: readonly string[],
  event: SseEventInput,
  rules: readonly ChannelRules[],
): StoredEvent[] | Promise<StoredEvent[]> {
  const byRules = new Map<ChannelRules, StoredEvent | Promise<StoredEvent>>();
  return inOrder(
    channels.map((channel, index) => {
      const its = rules[index] as ChannelRules;
      const encoded = byRules.get(its) ?? attempt(() => writer.encoded(channel, event, its));
      byRules.set(its, encoded);
      return encoded;
    }),
  );
}

/** The error of a call that was carried out in some channels, and failed in the next. */
function partly(channels: readonly string[], failed: number, error: unknown): unknown {
  if (failed === 0 || !(error instanceof SseError)) return error;
  const names = (some: readonly string[]): string => some.map((name) => JSON.stringify(name)).join(', ');
  const done = `The event was published to ${names(channels.slice(0, failed))}, and not to ${names(channels.slice(failed))}`;
  const remedy = 'A call with the same publishId publishes it only where it is missing.';
  return new SseError(error.code, `${done}: ${reasonOf(error)} ${remedy}`, { cause: error });
}
