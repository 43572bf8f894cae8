/** The number of names shown; the others are counted. */
const MOST = 12;

/** Milliseconds after which a notice of typing expires. */
const TYPING_TIME = 4_000;

/** The members of the room, and those who are typing. */
export class People {
  #here = document.querySelector('#people');
  #typing = document.querySelector('#typing');
  #names = new Set();
  /** When the notice of typing expires, by name. */
  #typists = new Map();
  /** Changes since the members were asked for; they are applied again to the answer. */
  #changes = [];
  #me;

  /** @param {{ me: () => string }} options the user of this page */
  constructor({ me }) {
    this.#me = me;
  }

  /** Asks for the members. Needed after each reconnect, as presence keeps no history. */
  async load(url) {
    const changes = (this.#changes = []);
    const response = await fetch(url, { cache: 'no-store' });
    const people = response.ok ? await response.json() : [];
    if (changes !== this.#changes) return; // a newer question is under way
    this.#names = new Set(people.map(({ user }) => user));
    // The answer may be older than what the stream has delivered meanwhile.
    for (const change of changes) change();
    this.#show();
  }

  add(name) {
    this.#change(() => this.#names.add(name));
  }

  delete(name) {
    this.#change(() => this.#names.delete(name));
    this.hasTyped(name);
  }

  isTyping(name) {
    if (name === this.#me()) return;
    clearTimeout(this.#typists.get(name));
    this.#typists.set(
      name,
      setTimeout(() => this.hasTyped(name), TYPING_TIME),
    );
    this.#showTyping();
  }

  hasTyped(name) {
    clearTimeout(this.#typists.get(name));
    this.#typists.delete(name);
    this.#showTyping();
  }

  #change(change) {
    this.#changes.push(change);
    change();
    this.#show();
  }

  #show() {
    const me = this.#me();
    const names = [...this.#names].sort((one, other) => (other === me) - (one === me));
    const items = names.slice(0, MOST).map((name) => person(name, name === me));
    if (names.length > MOST) items.push(person(`and ${names.length - MOST} more`));
    this.#here.replaceChildren(...items);
  }

  #showTyping() {
    const names = [...this.#typists.keys()];
    this.#typing.textContent =
      names.length > 2
        ? 'Several people are typing'
        : names.join(' and ') + ['', ' is typing', ' are typing'][names.length];
  }
}

function person(name, isMe = false) {
  const item = document.createElement('li');
  item.textContent = name;
  item.classList.toggle('me', isMe);
  return item;
}
