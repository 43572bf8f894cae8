/** A channel's name as one token of a subject: no dot, no wildcard, no space, and readable where it can be. */
export function tokenOf(channel: string): string {
  return encodeURIComponent(channel).replaceAll('.', '%2E').replaceAll('*', '%2A');
}

/** What the stream and its subjects are called. Of a stream all subjects begin with its name. */
export class Subjects {
  /** What the stream stores. */
  readonly stored: string;
  /** What it tells of at once when it has stored it. */
  readonly live: string;
  /** Holds, in its newest message, what was made of the stream when it was found to be rewound. */
  readonly rewind: string;
  readonly liveRewind: string;
  /** The records of all channels, live. */
  readonly liveRecords: string;

  constructor(readonly stream: string) {
    this.stored = `${stream}.log.>`;
    this.live = `${stream}.live.>`;
    this.rewind = `${stream}.log.rewind`;
    this.liveRewind = `${stream}.live.rewind`;
    this.liveRecords = `${stream}.live.record.*`;
  }

  events(token: string): string {
    return `${this.stream}.log.event.${token}`;
  }

  liveEvents(token: string): string {
    return `${this.stream}.live.event.${token}`;
  }

  record(token: string): string {
    return `${this.stream}.log.record.${token}`;
  }

  /** The channel of a live record; somebody else may publish on such a subject too. */
  channelOfRecord(subject: string): string {
    try {
      return decodeURIComponent(subject.slice(this.liveRecords.length - 1));
    } catch {
      return '';
    }
  }
}
