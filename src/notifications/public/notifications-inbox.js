/** An inbox on the page, and how many of its notifications are unread. User input is inserted as text, never as HTML. */
export class InboxView {
  #list = document.querySelector('#list');
  #unread = document.querySelector('#unread');
  #empty = document.querySelector('#empty');
  #title = document.title;
  #onRead;

  /** @param {{ onRead: (id: string) => void }} options */
  constructor({ onRead }) {
    this.#onRead = onRead;
  }

  /** Shows the state of the inbox in place of what was there. */
  replace(notifications) {
    this.#list.replaceChildren(...notifications.map((each) => this.#item(each)).reverse());
    this.#count();
  }

  /** The newest is on top. */
  add(notification) {
    this.#list.prepend(this.#item({ ...notification, isRead: false }));
    this.#count();
  }

  setRead(ids) {
    for (const item of this.#list.children) if (ids.includes(item.dataset.id)) markRead(item);
    this.#count();
  }

  #count() {
    const count = this.#list.querySelectorAll('.unread').length;
    this.#unread.textContent = `${count} unread`;
    document.title = count > 0 ? `(${count}) ${this.#title}` : this.#title;
    this.#empty.hidden = this.#list.childElementCount > 0;
  }

  #item({ id, text, sentAt, isRead }) {
    const item = document.createElement('li');
    const time = document.createElement('time');
    const button = document.createElement('button');
    item.dataset.id = id;
    item.className = 'card unread';
    time.dateTime = sentAt;
    time.textContent = new Date(sentAt).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
    button.type = 'button';
    button.className = 'plain';
    button.textContent = 'Mark as read';
    button.setAttribute('aria-label', `Mark as read: ${text}`);
    button.addEventListener('click', () => this.#onRead(id));
    item.append(paragraph(text), time, button);
    if (isRead) markRead(item);
    return item;
  }
}

function markRead(item) {
  const button = item.querySelector('button');
  item.classList.remove('unread');
  // The focus stays here, for those who use the keyboard.
  if (document.activeElement === button) {
    item.tabIndex = -1;
    item.focus();
  }
  button?.remove();
}

function paragraph(text) {
  const made = document.createElement('p');
  made.textContent = text;
  return made;
}
