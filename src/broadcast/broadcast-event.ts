/** The event that a client asks to be sent to everybody, field by field. */
export interface BroadcastEvent {
  readonly type?: string;
  readonly id?: string;
  /** Any JSON value. A string is sent as it is. */
  readonly data: unknown;
  /** Milliseconds that a client should wait before it connects again. */
  readonly retry?: number;
}

/** The same for the description of the API. */
export const BROADCAST_EVENT = {
  type: 'object',
  required: ['data'],
  properties: {
    type: { type: 'string' },
    id: { type: 'string' },
    data: { description: 'Any JSON value. A string is sent as it is.' },
    retry: {
      type: 'integer',
      description: 'Milliseconds that a client should wait before it connects again.',
    },
  },
};

/** A listening client. */
export interface BroadcastClient {
  readonly id: string;
  readonly connectedAt: Date;
}
