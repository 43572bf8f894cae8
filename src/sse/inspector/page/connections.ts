import type { ConnectionRow } from '../connection-rows.js';
import { get } from './api.js';
import { badge, h, statusLine } from './dom.js';
import { ago, bytes, count, fullTime, short, span } from './format.js';
import { failing, link, repeatedly, type Surroundings } from './view.js';
import { VirtualList } from './virtual-list.js';

interface Page {
  readonly total: number;
  readonly rows: readonly (ConnectionRow & { readonly instance: string })[];
  readonly fault?: string;
}

const TONES = { open: 'good', opening: 'plain', 'backed up': 'warn' } as const;

/** All connections: a list that the server filters and sorts. */
export function connections({ signal, instance }: Surroundings, query: URLSearchParams): HTMLElement {
  const status = statusLine();
  const text = h('input', {
    type: 'search',
    value: query.get('text') ?? '',
    placeholder: 'User, path, address or channel',
  });
  const state = h(
    'select',
    {},
    ...['', 'open', 'opening', 'backed up'].map((one) =>
      h('option', { value: one, selected: one === query.get('state') }, one === '' ? 'any state' : one),
    ),
  );
  let sort = 'since';
  let order: 'up' | 'down' = 'down';
  const list = new VirtualList<ConnectionRow & { readonly instance: string }>({
    label: 'Connections',
    load: async (offset, limit) => {
      const asked = { text: text.value, state: state.value, sort, order, offset, limit, instance };
      const page = await get<Page>('connections', { ...asked, channel: query.get('channel') ?? '' }, signal);
      status.textContent = `${count(page.total)} ${page.total === 1 ? 'connection' : 'connections'}${page.fault ? `. ${page.fault}` : ''}`;
      return page;
    },
    sorted: (by) => {
      order = by === sort && order === 'down' ? 'up' : 'down';
      sort = by;
      list.showSort(sort, order);
      void list.restart();
    },
    columns: [
      {
        name: 'User or id',
        sort: 'user',
        cell: (row) => h('a', { href: link('connections', row.id) }, row.user ?? short(row.id)),
      },
      { name: 'State', cell: ({ state: of }) => badge(of, TONES[of]) },
      {
        name: 'Lag',
        sort: 'lag',
        cell: ({ lag, lagTime }) => (lag === 0 ? '0' : `${count(lag)} (${span(lagTime)})`),
      },
      { name: 'Waiting', sort: 'waiting', cell: ({ waiting }) => bytes(waiting) },
      {
        name: 'Channels',
        sort: 'channels',
        cell: ({ channels, channelCount }) => named(channels, channelCount),
      },
      { name: 'Path', sort: 'path', cell: ({ path }) => path },
      { name: 'Address', cell: ({ address }) => address ?? '' },
      {
        name: 'Since',
        sort: 'since',
        cell: ({ since }) => h('time', { datetime: fullTime(since) }, ago(since)),
      },
    ],
  });
  list.showSort(sort, order);
  const failed = failing(status, signal);
  const changed = (): void => void list.restart().catch(failed);
  text.addEventListener('input', changed);
  state.addEventListener('change', changed);
  signal.addEventListener('abort', () => list.close());
  requestAnimationFrame(() => list.mounted());
  repeatedly(() => list.refresh().catch(failed), 2_000, signal);
  return h(
    'section',
    { class: 'tall' },
    h('h1', {}, query.has('channel') ? `Connections of ${query.get('channel') ?? ''}` : 'Connections'),
    h(
      'form',
      { class: 'bar', role: 'search', submit: (event) => event.preventDefault() },
      h('label', {}, 'Filter', text),
      h('label', {}, 'State', state),
      status,
    ),
    list.element,
  );
}

const named = (channels: readonly string[], all: number): string =>
  channels.join(', ') + (all > channels.length ? ` and ${all - channels.length} more` : '');
