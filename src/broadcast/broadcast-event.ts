/** What somebody asks to be sent to everybody, field by field as it goes out. */
export interface BroadcastEvent {
  readonly type?: string;
  readonly id?: string;
  /** Any JSON value. A string goes out as it is. */
  readonly data: unknown;
  /** Milliseconds that a client should wait before it connects again. */
  readonly retry?: number;
}

/** Somebody who listens. */
export interface BroadcastClient {
  readonly id: string;
  readonly connectedAt: Date;
}
