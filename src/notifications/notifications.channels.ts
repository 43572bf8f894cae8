import * as z from 'zod';
import { defineChannel } from '../sse/index.js';

export const Notification = z.object({ id: z.uuid(), text: z.string(), sentAt: z.iso.datetime() });

export type Notification = z.output<typeof Notification>;

/** A notification in an inbox. */
export interface ReceivedNotification extends Notification {
  readonly isRead: boolean;
}

/** One channel per user. */
export const Inbox = defineChannel('notifications/:user', {
  events: { notification: Notification, read: z.object({ ids: z.array(z.uuid()) }) },
  history: { count: 200 },
  ttl: 7 * 24 * 60 * 60 * 1_000,
});
