import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import { fill, h } from './dom.js';

export interface Column<Row> {
  readonly name: string;
  /** The name by which the server sorts; left out where it cannot. */
  readonly sort?: string;
  readonly cell: (row: Row) => Node | string;
}

export interface Listing<Row> {
  readonly total: number;
  readonly rows: readonly Row[];
}

export interface VirtualListOptions<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly load: (offset: number, limit: number) => Promise<Listing<Row>>;
  readonly sorted: (sort: string) => void;
}

const ROW = 40;
/** Rows of one request. */
const WINDOW = 60;
/** Rows that are made above and below those that are seen. */
const OVERSCAN = 8;

/** A table of any length: only the rows that are seen exist, and only these are asked for. */
export class VirtualList<Row> {
  readonly element: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #body: HTMLElement;
  readonly #virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  readonly #unmount: () => void;
  readonly #heads = new Map<string, HTMLElement>();
  #rows = new Map<number, Row>();
  #total = 0;
  #loading: Promise<void> | undefined;
  #isStale = false;

  constructor(private readonly options: VirtualListOptions<Row>) {
    const { label, columns } = options;
    const head = h('div', { role: 'row', class: 'list-row list-head', 'aria-rowindex': '1' });
    for (const column of columns) head.append(this.#headOf(column));
    this.#body = h('div', { role: 'rowgroup', class: 'list-body' });
    this.#scroller = h(
      'div',
      { class: 'list', role: 'table', 'aria-label': label, tabindex: '0' },
      h('div', { role: 'rowgroup', class: 'list-heads' }, head),
      this.#body,
    );
    this.element = this.#scroller;
    this.#virtualizer = new Virtualizer<HTMLElement, HTMLElement>({
      count: 0,
      getScrollElement: () => this.#scroller,
      estimateSize: () => ROW,
      overscan: OVERSCAN,
      scrollMargin: ROW,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.#draw(),
    });
    this.#unmount = this.#virtualizer._didMount();
  }

  /** To be called once it is in the page. */
  mounted(): void {
    this.#virtualizer._willUpdate();
  }

  close(): void {
    this.#unmount();
  }

  get total(): number {
    return this.#total;
  }

  /** Shows how it is sorted. */
  showSort(sort: string, order: 'up' | 'down'): void {
    for (const [name, head] of this.#heads) {
      if (name === sort) head.setAttribute('aria-sort', order === 'up' ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    }
  }

  /** Begins anew: the filter or the order has changed. */
  async restart(): Promise<void> {
    this.#rows = new Map();
    this.#scroller.scrollTop = 0;
    await this.refresh();
  }

  /** Asks again for the rows that are seen. */
  async refresh(): Promise<void> {
    await this.#loading;
    await this.#load();
  }

  #headOf({ name, sort }: Column<Row>): HTMLElement {
    if (sort === undefined) return h('div', { role: 'columnheader' }, name);
    const button = h('button', { type: 'button', click: () => this.options.sorted(sort) }, name);
    const head = h('div', { role: 'columnheader' }, button);
    this.#heads.set(sort, head);
    return head;
  }

  #load(): Promise<void> {
    this.#loading ??= this.#loadSeen().finally(() => {
      this.#loading = undefined;
      if (!this.#isStale) return;
      this.#isStale = false;
      void this.#load();
    });
    return this.#loading;
  }

  async #loadSeen(): Promise<void> {
    const first = this.#virtualizer.getVirtualItems()[0]?.index ?? 0;
    const { total, rows } = await this.options.load(first, WINDOW);
    this.#total = total;
    // Rows that are far away are forgotten: nobody scrolls through 10,000 of them and wants them all.
    if (this.#rows.size > WINDOW * 20) this.#rows = new Map();
    rows.forEach((row, i) => this.#rows.set(first + i, row));
    this.#scroller.setAttribute('aria-rowcount', String(total + 1));
    this.#virtualizer.setOptions({ ...this.#virtualizer.options, count: total });
    this.#virtualizer._willUpdate();
    this.#draw();
  }

  #draw(): void {
    const items = this.#virtualizer.getVirtualItems();
    this.#body.style.height = `${this.#virtualizer.getTotalSize()}px`;
    const focused =
      document.activeElement instanceof HTMLElement ? document.activeElement.getAttribute('href') : null;
    fill(
      this.#body,
      ...items.map(({ index, start }) => {
        const row = this.#rows.get(index);
        const cells = this.options.columns.map(({ cell }) =>
          h('div', { role: 'cell' }, row === undefined ? '…' : cell(row)),
        );
        const element = h(
          'div',
          { role: 'row', class: 'list-row', 'aria-rowindex': String(index + 2) },
          ...cells,
        );
        element.style.transform = `translateY(${start - ROW}px)`;
        return element;
      }),
    );
    // A row that is drawn anew keeps the focus.
    if (focused !== null && document.activeElement === document.body)
      [...this.#body.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus();
    if (!items.some(({ index }) => !this.#rows.has(index))) return;
    if (this.#loading) this.#isStale = true;
    else void this.#load().catch(() => undefined);
  }
}
