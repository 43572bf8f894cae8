/** The messages on the page. User input is inserted as text, never as HTML. */
export class MessageList {
  #log = document.querySelector('#log');
  #messages = document.querySelector('#messages');
  #empty = document.querySelector('#empty');
  #newer = document.querySelector('#newer');
  #shown = new Set();
  #last;
  #isMine;

  constructor({ isMine }) {
    this.#isMine = isMine;
    this.#newer.addEventListener('click', () => this.#scrollDown());
    this.#log.addEventListener('scroll', () => {
      if (this.#isAtEnd()) this.#newer.hidden = true;
    });
    new ResizeObserver(() => this.#newer.hidden && this.#scrollDown()).observe(this.#log);
  }

  /** Shows a message, once: a server may replay more than was missed. */
  add(message) {
    if (this.#shown.has(message.id)) return;
    this.#shown.add(message.id);

    const about = element('p', 'about');
    about.append(element('span', 'who', message.from), sentAt(message));
    const item = element('li', this.#isMine(message) ? 'said mine' : 'said');
    item.classList.toggle('more', follows(message, this.#last));
    item.append(about, element('p', 'what', message.text));
    this.#last = message;
    this.#append(item);
  }

  /** Shows a notice of what happened in the room. */
  addNote(text) {
    this.#last = undefined;
    this.#append(element('li', 'note', text));
  }

  /** Shows that messages are missing, which the server no longer has. */
  addGap() {
    if (this.#messages.lastElementChild?.className === 'gap') return;
    this.#last = undefined;
    this.#append(element('li', 'gap', 'Some messages are missing here.'));
  }

  #append(item) {
    const follow = this.#isAtEnd();
    this.#empty.hidden = true;
    this.#messages.append(item);
    if (follow) this.#scrollDown();
    else this.#newer.hidden = false;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight < 40;
  }

  #scrollDown() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}

/** Whether a message follows one of the same person within five minutes, so that it needs no name and time. */
function follows(message, last) {
  return message.from === last?.from && Date.parse(message.sentAt) - Date.parse(last.sentAt) < 5 * 60_000;
}

function element(name, className, text = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function sentAt(message) {
  const date = new Date(message.sentAt);
  const time = element('time', 'when', date.toLocaleTimeString([], { timeStyle: 'short' }));
  time.dateTime = message.sentAt;
  time.title = date.toLocaleString();
  return time;
}
