/** How many names there is room for; the others are a number. */
const MOST = 12;

/** Milliseconds for which somebody is typing who has said so. */
const TYPING_TIME = 4_000;

/** Who is in the room, and who of them is typing. */
export class People {
  #here = document.querySelector('#people');
  #typing = document.querySelector('#typing');
  #names = new Set();
  /** By name: when it will be over. */
  #typists = new Map();
  /** What has changed since it was asked who is there. */
  #changes = [];
  #me;

  /** @param {{ me: () => string }} options who is at this page */
  constructor({ me }) {
    this.#me = me;
  }

  /** Asks who is there: after each break, for what happened meanwhile is not kept. */
  async load(url) {
    const changes = (this.#changes = []);
    const response = await fetch(url, { cache: 'no-store' });
    const people = response.ok ? await response.json() : [];
    if (changes !== this.#changes) return; // it was asked again
    this.#names = new Set(people.map(({ user }) => user));
    // The answer may be older than what the stream has told meanwhile.
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
