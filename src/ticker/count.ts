/** The data of a counter event. */
export interface Count {
  /** One more than in the event before, the same for everybody. */
  readonly num: number;
  /** Time of the count, ISO 8601. */
  readonly message: string;
}
