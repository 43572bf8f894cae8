import { reasonOf } from '../../sse.errors.js';
import type { FiguresMessage } from '../inspector.js';
import { get, stream } from './api.js';
import { channel } from './channel.js';
import { channels } from './channels.js';
import { connection } from './connection.js';
import { connections } from './connections.js';
import { fill, h } from './dom.js';
import { explain } from './explain.js';
import { short } from './format.js';
import { overview } from './overview.js';
import { link, type Surroundings } from './view.js';

/** Views by the first segment of the hash, in the order of the navigation. */
const VIEWS = {
  overview: 'Overview',
  connections: 'Connections',
  channels: 'Channels',
  explain: 'Explain',
} as const;

const nav = document.querySelector('nav') as HTMLElement;
const main = document.querySelector('main') as HTMLElement;
const state = document.querySelector('#state') as HTMLElement;
const chosen = document.querySelector('#instance') as HTMLSelectElement;

const listeners = new Set<(message: FiguresMessage) => void>();
/** The newest figures, for a view that begins between two. */
let last: FiguresMessage | undefined;

function hear(listener: (message: FiguresMessage) => void, signal: AbortSignal): void {
  listeners.add(listener);
  signal.addEventListener('abort', () => listeners.delete(listener));
  if (last) listener(last);
}

/** One stream of figures for the page, whichever view is open. */
function listen(): void {
  const client = stream<{ figures: FiguresMessage }>('figures');
  client.on('figures', (message) => {
    last = message;
    showInstances(message);
    for (const listener of listeners) listener(message);
  });
  client.subscribe(() => {
    const { kind } = client.state;
    state.textContent = kind === 'open' ? 'live' : kind;
    state.dataset['state'] = kind;
  });
}

function showInstances({ instances, here }: FiguresMessage): void {
  const names = ['', ...instances.map(({ instance }) => instance)];
  if (names.join() === [...chosen.options].map(({ value }) => value).join()) return;
  const before = chosen.value;
  const textOf = (name: string): string => (name === here ? `${short(name)} (this one)` : short(name));
  fill(
    chosen,
    ...names.map((name) => h('option', { value: name }, name === '' ? 'All instances' : textOf(name))),
  );
  chosen.value = names.includes(before) ? before : '';
}

let leaving = new AbortController();

function show(readOnly: boolean): void {
  leaving.abort();
  leaving = new AbortController();
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const [view = '', name] = path.split('/').map(decodeURIComponent);
  const query = new URLSearchParams(search);
  const around = { signal: leaving.signal, readOnly, instance: chosen.value || undefined };
  fill(main, viewOf(view, name, query, around));
  for (const a of nav.querySelectorAll('a')) {
    if (a.dataset['view'] === (view || 'overview')) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  document.title = `${main.querySelector('h1')?.textContent ?? 'Inspector'} · Inspector`;
  window.scrollTo(0, 0);
}

function viewOf(
  view: string,
  name: string | undefined,
  query: URLSearchParams,
  around: Surroundings,
): HTMLElement {
  if (view === 'connections')
    return name === undefined ? connections(around, query) : connection(around, name);
  if (view === 'channels') return name === undefined ? channels(around) : channel(around, name);
  return view === 'explain' ? explain(around, query) : overview(around, hear);
}

async function start(): Promise<void> {
  fill(
    nav,
    ...Object.entries(VIEWS).map(([view, text]) => h('a', { href: link(view), 'data-view': view }, text)),
  );
  const { readOnly } = await get<{ readOnly: boolean }>('settings');
  // The address names the view, so the link must not change it.
  document.querySelector('.skip')?.addEventListener('click', (event) => {
    event.preventDefault();
    main.focus();
  });
  window.addEventListener('hashchange', () => show(readOnly));
  chosen.addEventListener('change', () => show(readOnly));
  listen();
  show(readOnly);
}

start().catch((error: unknown) => fill(main, h('p', { class: 'sentence' }, reasonOf(error))));
