/** What the counter sends. */
export interface Count {
  /** One more than in the event before, the same for everybody. */
  readonly num: number;
  /** When it was counted, ISO 8601. */
  readonly message: string;
}
