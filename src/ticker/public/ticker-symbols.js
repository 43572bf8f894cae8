/** A check box with colour and price for every symbol that has been quoted. */
export class SymbolToggles {
  #fieldset;
  #onToggle;
  #toggles = new Map();

  constructor(fieldset, { onToggle }) {
    this.#fieldset = fieldset;
    this.#onToggle = onToggle;
  }

  get isAnyShown() {
    return this.#toggles.size === 0 || this.#shown().length > 0;
  }

  /** The query of the shown symbols; no query means all of them. */
  get query() {
    const shown = this.#shown();
    return shown.length === this.#toggles.size ? '' : `?symbols=${shown.join(',')}`;
  }

  update({ symbol, price }) {
    if (!this.#toggles.has(symbol)) this.#add(symbol);
    this.#toggles.get(symbol).price.textContent = price.toFixed(2);
  }

  isShown(symbol) {
    return this.#toggles.get(symbol).box.checked;
  }

  /** The computed colour, because a canvas does not resolve custom properties. */
  colorOf(symbol) {
    return getComputedStyle(this.#toggles.get(symbol).box).color;
  }

  #shown() {
    return [...this.#toggles.keys()].filter((symbol) => this.isShown(symbol));
  }

  #add(symbol) {
    const label = document.createElement('label');
    const box = document.createElement('input');
    const name = document.createElement('span');
    const price = document.createElement('span');
    box.type = 'checkbox';
    box.value = symbol;
    box.checked = true;
    box.addEventListener('change', this.#onToggle);
    label.className = `symbol series-${this.#toggles.size + 1}`;
    name.textContent = symbol;
    price.className = 'price';
    label.append(box, name, price);
    this.#fieldset.append(label);
    this.#toggles.set(symbol, { box, price });
  }
}
