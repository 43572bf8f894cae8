import { defineChannel, type } from '../sse/index.js';

export interface Notification {
  /** A UUID. */
  readonly id: string;
  readonly text: string;
  /** ISO 8601. */
  readonly sentAt: string;
}

/** A notification in an inbox. */
export interface ReceivedNotification extends Notification {
  readonly isRead: boolean;
}

/** One channel per user. */
export const Inbox = defineChannel('notifications/:user', {
  events: { notification: type<Notification>(), read: type<{ readonly ids: readonly string[] }>() },
  history: { count: 200 },
  ttl: 7 * 24 * 60 * 60 * 1_000,
});
