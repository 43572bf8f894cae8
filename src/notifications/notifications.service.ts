import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { SseHub, SseSnapshot, type SnapshotOf, type SnapshotRequest, type SseEvent } from '../sse/index.js';
import { Inbox, type Notification, type ReceivedNotification } from './notifications.channels.js';

/** The content of an inbox, and the position of its channel up to which events are in it. */
interface InboxState {
  readonly notifications: readonly ReceivedNotification[];
  readonly position: string;
}

/** Keeps an inbox in the log of its channel alone. Where a database has it, the position is stored with it. */
@Injectable()
export class NotificationsService {
  constructor(private readonly hub: SseHub) {}

  stream(user: string): Observable<SseEvent> {
    return this.hub.stream(Inbox.of({ user }));
  }

  async notify(user: string, text: string): Promise<Notification> {
    const notification: Notification = { id: randomUUID(), text, sentAt: new Date().toISOString() };
    await this.hub.publish(Inbox.of({ user }), { type: 'notification', data: notification });
    return notification;
  }

  /** Marks one notification as read, or all. */
  async markRead(user: string, id?: string): Promise<void> {
    const { notifications } = await this.inbox(user);
    const ids = notifications
      .filter((each) => !each.isRead && (id === undefined || each.id === id))
      .map((each) => each.id);
    if (ids.length > 0) await this.hub.publish(Inbox.of({ user }), { type: 'read', data: { ids } });
  }

  /** A page that opens gets this, and then exactly the events after the position. */
  @SseSnapshot(Inbox)
  async snapshot({
    params,
  }: SnapshotRequest<{ user: string }>): Promise<SnapshotOf<InboxState['notifications']>> {
    const { notifications, position } = await this.inbox(params.user);
    return { state: notifications, after: position };
  }

  private async inbox(user: string): Promise<InboxState> {
    const { events, position } = await this.hub.history(Inbox.of({ user }));
    const inbox = new Map<string, ReceivedNotification>();
    for (const { type, data } of events) {
      if (type === 'notification') inbox.set(data.id, { ...data, isRead: false });
      else for (const id of data.ids) setRead(inbox, id);
    }
    return { notifications: [...inbox.values()], position };
  }
}

/** The history may have let the notification go already. */
function setRead(inbox: Map<string, ReceivedNotification>, id: string): void {
  const notification = inbox.get(id);
  if (notification) inbox.set(id, { ...notification, isRead: true });
}
