import { Inbox } from '../../src/sse/testing/inbox.js';
import { PATIENCE } from './open-stream.js';

/** An inbox of the test kit, for what is no stream: calls of a listener, states of a client. */
export function newInbox<T>(): Inbox<T> {
  const inbox: Inbox<T> = new Inbox(
    PATIENCE,
    () => `Until then came ${JSON.stringify(inbox.all.slice(-5))}.`,
  );
  return inbox;
}
