import { EVENT_STREAM } from '../protocol/media-type.js';
import { ChannelSync, isSpoilt } from './channel-sync.js';
import { FetchTransport, made, Unusable } from './fetch-transport.js';
import type { ChannelsReceiver, ChannelsTransport, Message } from './transport.js';

/** Streams the channels that the client names, by `fetch()`: each request has all of them with their positions. */
export class FetchChannelsTransport extends FetchTransport<ChannelsReceiver> implements ChannelsTransport {
  /** The channels in the request of the present stream, without those that were denied. */
  #requested = new Set<string>();
  /** What the next request names. `none` where the server has refused them together: they are joined one after the other. */
  #names: 'all' | 'none' = 'all';
  /** Of the open stream. */
  #sync: ChannelSync | undefined;

  channelsChanged(): void {
    this.#sync?.changed();
  }

  /** The positions of many channels are too long for a header. */
  protected override requestOf(init: RequestInit): Request {
    const channels = this.#names === 'all' ? this.receiver.position() : new Map<string, string>();
    this.#names = 'all';
    this.#requested = new Set(channels.keys());
    this.#sync = undefined;
    const request = json(this.url, { channels: Object.fromEntries(channels) }, init);
    request.headers.set('Accept', EVENT_STREAM.own);
    return request;
  }

  protected override checkType(type: string): void {
    if (!/;\s*ids=own\b/i.test(type))
      throw new Unusable('This address streams no channels by name. Connect to the endpoint of the module.');
  }

  /** One name too many, or one that is wrong, must not cost the others. */
  protected override asksLess(status: number): boolean {
    if (!isSpoilt(status) || this.#requested.size === 0) return false;
    this.#names = 'none';
    return true;
  }

  protected override received(message: Message, stream: AbortController): void {
    if (message.event === 'denied') this.#denied(message);
    super.received(message, stream);
    if (message.event !== 'connection' || stream.signal.aborted) return;
    const { id } = JSON.parse(message.data) as { readonly id: string };
    const url = new URL(this.url);
    url.pathname += `/${id}/channels`;
    const send = (change: object): Promise<Response> => this.send(stream, (init) => json(url, change, init));
    this.#sync = new ChannelSync(this.receiver, this.#requested, send, stream);
  }

  /** It may be asked for again. */
  #denied({ data }: Message): void {
    const { channel } = JSON.parse(data) as { readonly channel: string };
    this.#requested.delete(channel);
    this.#sync?.forget(channel);
  }
}

/** A request that POSTs JSON. */
const json = (url: URL, body: unknown, init: RequestInit): Request =>
  made(() => {
    const request = new Request(url, { ...init, method: 'POST', body: JSON.stringify(body) });
    request.headers.set('Content-Type', 'application/json');
    return request;
  });
