/** A channel's name as one token of a subject: no dot, no wildcard, no space, and readable where it can be. */
export function tokenOf(channel: string): string {
  return encodeURIComponent(channel).replaceAll('.', '%2E').replaceAll('*', '%2A');
}

/** The channel of a subject's last token; somebody else may publish on such a subject too. */
export function channelOf(subject: string): string | undefined {
  try {
    return decodeURIComponent(subject.slice(subject.lastIndexOf('.') + 1));
  } catch {
    return undefined;
  }
}

/** The names of the two streams. All subjects of a stream begin with its name. */
export class Names {
  /** The stream of the logs. */
  readonly log: string;
  /** The stream of what must outlive its limits: one small message for each channel. */
  readonly heads: string;
  /** What the stream of the logs tells of, at once when it has stored it, begins with this. */
  readonly live: string;

  constructor(prefix: string) {
    this.log = `${prefix}-log`;
    this.heads = `${prefix}-heads`;
    this.live = `${prefix}-live`;
  }

  /** A channel's events and purges. */
  readonly event = (token: string): string => `${this.log}.event.${token}`;
  readonly liveEvent = (token: string): string => `${this.live}.event.${token}`;

  /** The end of a channel's log, apart from its events: every instance hears of that, whatever it follows. */
  readonly end = (token: string): string => `${this.log}.end.${token}`;
  get liveEnds(): string {
    return `${this.live}.end.*`;
  }

  readonly head = (token: string): string => `${this.heads}.channel.${token}`;
}
