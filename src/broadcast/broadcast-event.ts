/** The event that a client asks to be sent to everybody, field by field. */
export interface BroadcastEvent {
  readonly type?: string;
  readonly id?: string;
  /** Any JSON value. A string is sent as it is. */
  readonly data: unknown;
  /** Milliseconds that a client should wait before it connects again. */
  readonly retry?: number;
}

/** A listening client. */
export interface BroadcastClient {
  readonly id: string;
  readonly connectedAt: Date;
}
