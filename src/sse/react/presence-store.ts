import type { ChannelMember } from '../client/index.js';
import type { Connection } from './connection.js';
import { Store } from './store.js';

const NOBODY: readonly ChannelMember[] = [];

/** The members of a channel in one component. */
export class PresenceStore extends Store<readonly ChannelMember[], undefined> {
  constructor(
    private readonly connection: Connection,
    private readonly name: string,
  ) {
    super(NOBODY, undefined);
  }

  protected begin(): () => void {
    let leave = (): void => undefined;
    // After the components that want the events, and with them: they know a position to begin at.
    queueMicrotask(() => {
      leave = this.#join();
    });
    return () => leave();
  }

  #join(): () => void {
    const client = this.connection.acquire();
    const lastEventId = client.position().get(this.name) ?? '';
    const channel = client.channel(this.name, { lastEventId });
    const { members } = channel;
    const show = (): void => this.set(members.value);
    const stop = members.subscribe(show);
    show();
    return () => {
      stop();
      channel.close();
      this.connection.release();
    };
  }
}
