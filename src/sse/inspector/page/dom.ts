type Child = Node | string | number | undefined | false;
type Attributes = Readonly<Record<string, string | boolean | EventListener | undefined>>;

/**
 * Makes an element. Texts become text nodes: nothing that comes from the server is ever read as HTML.
 *
 * @param attributes a function is a listener: `{ click: … }`. `true` sets an attribute without a value
 */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...nodesOf(children));
  return element;
}

const nodesOf = (children: readonly Child[]): (Node | string)[] =>
  children.flatMap((child) =>
    child === undefined || child === false ? [] : [typeof child === 'number' ? String(child) : child],
  );

/** Puts these children in the place of those that an element has. Who stands on a link by keyboard still does afterwards. */
export function fill(element: Element, ...children: readonly Child[]): void {
  const focused = document.activeElement;
  const isInside = focused !== null && focused !== element && element.contains(focused);
  const name = isInside ? nameOf(focused) : '';
  const place = isInside ? named(element, name).indexOf(focused as HTMLElement) : 0;
  element.replaceChildren(...nodesOf(children));
  if (isInside) named(element, name).at(place)?.focus({ preventScroll: true });
}

const nameOf = (one: Element): string =>
  one.getAttribute('href') ?? one.getAttribute('aria-label') ?? one.textContent;

const named = (element: Element, name: string): HTMLElement[] =>
  [...element.querySelectorAll<HTMLElement>('a, button, [tabindex]')].filter((one) => nameOf(one) === name);

/** A line that a screen reader says when it changes. */
export const statusLine = (): HTMLElement => h('p', { role: 'status', class: 'status' });

/** Names and values, as a list of terms. */
export const terms = (...pairs: readonly (readonly [name: string, value: Child])[]): HTMLElement =>
  h(
    'dl',
    { class: 'terms' },
    ...pairs.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );

export const badge = (text: string, tone: 'good' | 'warn' | 'bad' | 'plain'): HTMLElement =>
  h('span', { class: `badge ${tone}` }, text);

/** A table with a head; a row is a list of cells. */
export const table = (
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly Child[])[],
): HTMLElement =>
  h(
    'div',
    { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', { class: 'hidden' }, caption),
      h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
      h('tbody', {}, ...rows.map((cells) => h('tr', {}, ...cells.map((cell) => h('td', {}, cell))))),
    ),
  );
