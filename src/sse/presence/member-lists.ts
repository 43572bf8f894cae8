import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { ConnectionFeatures, ConnectionHandle, StreamObserver } from '../http/connection-part.js';
import { ownEvent } from '../http/event-body.js';
import { SharedText } from '../protocol/event-stream.js';
import type { Presence } from './presence.js';

/** Milliseconds after which members that could not be asked for are asked for again. */
const RETRY = 1_000;

/** Clients of one channel. */
type Clients = Set<ConnectionHandle>;

/**
 * Sends `members` events: the list that the `join` and `leave` events of a channel continue, for clients of the endpoint with own
 * ids. A client gets it when the channel begins for it, and again after a gap. On a route of the application a stream may hide these
 * events (`types`, `filter`, operators), and so the list.
 *
 * A list is at least as new as the position from which its client has every event: it is asked for after the channel began,
 * or the gap was told. Events that come to the client while the list is on its way may be newer than the list, so the client applies
 * them to it once more. A `join` or `leave` that the list already has changes nothing.
 *
 * Members are asked for on behalf of all clients of a channel that wait, one question at a time. Who comes while it is under way waits
 * for the next, as its answer may be older than that client's position.
 */
export class MemberLists implements StreamObserver {
  /** By channel, those for whom the next question is. */
  readonly #waiting = new Map<string, Clients>();
  /** By channel, those for whom the present question is. */
  readonly #asking = new Map<string, Clients>();

  constructor(
    private readonly presence: Pick<Presence, 'members' | 'isClosed'>,
    private readonly definitions: Pick<ChannelDefinitions, 'settingsOf'>,
    features: ConnectionFeatures,
  ) {
    features.observe(this);
  }

  began(channel: string, client: ConnectionHandle): void {
    const { form, channels } = client.reader.position;
    if (form !== 'own' || channels === 'fixed') return;
    if (this.definitions.settingsOf(channel).presence?.events) this.#want(channel, client);
  }

  missed(channel: string, client: ConnectionHandle): void {
    this.#asking.get(channel)?.delete(client);
    this.began(channel, client);
  }

  ended(channel: string, client: ConnectionHandle): void {
    this.#asking.get(channel)?.delete(client);
    this.#waiting.get(channel)?.delete(client);
  }

  #want(channel: string, client: ConnectionHandle): void {
    const waiting = this.#waiting.get(channel) ?? new Set();
    this.#waiting.set(channel, waiting.add(client));
    if (!this.#asking.has(channel)) void this.#serve(channel);
  }

  /** Answers those who wait, until nobody does. Never rejects. */
  async #serve(channel: string): Promise<void> {
    this.#asking.set(channel, new Set());
    // Those who begin in one turn share a question.
    await Promise.resolve();
    for (;;) {
      const clients = this.#waiting.get(channel);
      this.#waiting.delete(channel);
      if (!clients || clients.size === 0 || this.presence.isClosed) break;
      this.#asking.set(channel, clients);
      if (await this.#send(channel, clients)) continue;
      await new Promise((resolve) => void setTimeout(resolve, RETRY).unref());
      for (const client of clients) this.#want(channel, client);
    }
    this.#asking.delete(channel);
  }

  /** @returns whether there was a list to send */
  async #send(channel: string, clients: Clients): Promise<boolean> {
    try {
      const members = await this.presence.members(channel);
      const text = new SharedText(ownEvent('members', { channel, members }));
      for (const client of clients) client.tellText(text);
      return true;
    } catch {
      return false; // the backplane is away
    }
  }
}
