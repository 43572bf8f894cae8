/** How far a response has read one channel, in offsets of its log. */
export interface StreamPosition {
  readonly channel: string;
  /** The last event before those that it was to get; undefined until that is known. */
  readonly began: number | undefined;
  /**
   * The last event that it passed on of those that were there when it began, and that came meanwhile; undefined until all
   * were. Events after it were passed on as they were published.
   */
  readonly liveAfter: number | undefined;
  /** The last event that it has passed on: to its client, or to operators of the application. */
  readonly read: number;
  /** The last event that was written to its client, or hidden from it by `types` or `filter`; undefined while a gap is owed. */
  readonly given: number | undefined;
  /** The newest event of the channel. */
  readonly head: number;
  /** The types of events that its streams let through; undefined for all. */
  readonly types: readonly string[] | undefined;
  /** Whether a `filter` of `hub.stream()` may hide events. */
  readonly hasFilter: boolean;
  /** `operators`: its events pass operators or interceptors of the application, which may drop them. */
  readonly way: 'direct' | 'operators';
  /** Whether its client came with a position. */
  readonly isResumed: boolean;
}

/** An open stream, as its own instance knows it. */
export interface ConnectionDetails {
  /** An unguessable name that the package makes. */
  readonly id: string;
  readonly connectedAt: Date;
  /** The channels that it streams now. */
  readonly channels: readonly string[];
  /** The address of the request, without the query. */
  readonly path: string;
  /** The address of the socket: behind a proxy the proxy's. */
  readonly address: string | undefined;
  /** The user, as `identify` names it. */
  readonly user?: string;
}
