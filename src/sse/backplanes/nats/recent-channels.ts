interface Rememberable {
  /** Whether nothing is lost by forgetting the channel. */
  readonly isIdle: boolean;
  /** Whether the channel has something to do later, so that it is forgotten only when there are very many. */
  readonly isActive: boolean;
}

/** Channels by name, the one that was used longest ago first. When there are many, idle ones are forgotten. */
export class RecentChannels<Channel extends Rememberable> extends Map<string, Channel> {
  constructor(private readonly most = { idle: 10_000, active: 100_000 }) {
    super();
  }

  /** The channel of a name, which is made if it is not there. */
  use(name: string, make: () => Channel): Channel {
    const channel = this.get(name) ?? make();
    this.delete(name);
    this.set(name, channel);
    // Two for each that is added, so that those that stay do not make the list grow.
    for (let i = 0; i < 2 && this.size > this.most.idle; i++) this.#reviewOldest();
    return channel;
  }

  #reviewOldest(): void {
    const [name, channel] = this.entries().next().value as [string, Channel];
    this.delete(name);
    if (!channel.isIdle || (channel.isActive && this.size < this.most.active)) this.set(name, channel);
  }
}
