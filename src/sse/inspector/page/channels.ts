import type { ChannelRow } from '../channel-rows.js';
import { get } from './api.js';
import { h, statusLine } from './dom.js';
import { ago, bytes, count } from './format.js';
import { failing, link, repeatedly, type Surroundings } from './view.js';
import { VirtualList } from './virtual-list.js';

interface Page {
  readonly total: number;
  readonly rows: readonly ChannelRow[];
  readonly fault?: string;
}

/** The channels that somebody streams. */
export function channels({ signal, instance }: Surroundings): HTMLElement {
  const status = statusLine();
  const text = h('input', { type: 'search', placeholder: 'Part of a name or definition' });
  let sort = 'name';
  let order: 'up' | 'down' = 'up';
  const list = new VirtualList<ChannelRow>({
    label: 'Channels',
    load: async (offset, limit) => {
      const page = await get<Page>(
        'channels',
        { text: text.value, sort, order, offset, limit, instance },
        signal,
      );
      status.textContent = `${count(page.total)} ${page.total === 1 ? 'channel is' : 'channels are'} streamed${page.fault ? `. ${page.fault}` : ''}`;
      return page;
    },
    sorted: (by) => {
      if (by === sort) order = order === 'up' ? 'down' : 'up';
      else order = by === 'name' ? 'up' : 'down';
      sort = by;
      list.showSort(sort, order);
      void list.restart();
    },
    columns: [
      { name: 'Name', sort: 'name', cell: ({ name }) => h('a', { href: link('channels', name) }, name) },
      { name: 'Definition', cell: ({ definition }) => definition ?? '–' },
      { name: 'Subscribers', sort: 'subscribers', cell: ({ subscribers }) => count(subscribers) },
      { name: 'Events / s', sort: 'rate', cell: ({ log }) => (log ? count(log.rate) : '–') },
      { name: 'Kept', sort: 'events', cell: ({ log }) => (log ? count(log.events) : '–') },
      { name: 'Size', sort: 'bytes', cell: ({ log }) => (log ? bytes(log.bytes) : '–') },
      { name: 'Oldest', cell: ({ log }) => (log?.oldestAt ? ago(log.oldestAt) : '–') },
    ],
  });
  list.showSort(sort, order);
  const failed = failing(status, signal);
  text.addEventListener('input', () => void list.restart().catch(failed));
  signal.addEventListener('abort', () => list.close());
  requestAnimationFrame(() => list.mounted());
  repeatedly(() => list.refresh().catch(failed), 2_000, signal);
  const name = h('input', { name: 'name', required: true, placeholder: 'Any name' });
  const open = (event: Event): void => {
    event.preventDefault();
    location.hash = link('channels', name.value);
  };
  return h(
    'section',
    { class: 'tall' },
    h('h1', {}, 'Channels'),
    h(
      'div',
      { class: 'bar' },
      h('label', {}, 'Filter', text),
      h(
        'form',
        { class: 'bar', submit: open },
        h('label', {}, 'Open a channel', name),
        h('button', {}, 'Open'),
      ),
      status,
    ),
    list.element,
  );
}
