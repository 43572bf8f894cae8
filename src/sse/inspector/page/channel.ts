import { reasonOf } from '../../sse.errors.js';
import type { ChannelView } from '../inspector.js';
import type { TailEvent, TailPart } from '../tail.js';
import { actionButton } from './actions.js';
import { get, post, stream } from './api.js';
import { fill, h, statusLine, table, terms } from './dom.js';
import { ago, bytes, count, fullTime, span, time } from './format.js';
import { failing, link, repeatedly, type Surroundings } from './view.js';

/** Events that the tail shows. */
const SHOWN = 200;

/** One channel: its log, its members, its events as they come, and what may be done to it. */
export function channel({ signal, readOnly }: Surroundings, name: string): HTMLElement {
  const status = statusLine();
  const about = h('div', {});
  const members = h('div', {});
  const refresh = async (): Promise<void> => {
    const view = await get<ChannelView>('channel', { name }, signal);
    status.textContent = view.fault ?? '';
    fill(about, aboutOf(view));
    fill(members, ...membersOf(view));
  };
  repeatedly(() => refresh().catch(failing(status, signal)), 1_000, signal);
  return h(
    'section',
    {},
    h('p', {}, h('a', { href: link('channels') }, 'All channels')),
    h('h1', {}, name),
    status,
    about,
    h('p', {}, h('a', { href: link('connections', '', { channel: name }) }, 'Its connections')),
    members,
    ...tail(name, signal),
    ...(readOnly ? [] : actions(name)),
  );
}

function aboutOf({ definition, subscribers, log, history, replay, slow }: ChannelView): HTMLElement {
  const limits = history
    ? `${count(history.count)} events, ${bytes(history.bytes)}${Number.isFinite(history.age ?? Infinity) ? `, ${span(history.age)}` : ''}`
    : 'none: events have no ids';
  return terms(
    ['Definition', definition ?? 'none'],
    ['Subscribers', count(subscribers)],
    ['Events per second', log ? count(log.rate) : 'nobody streams it'],
    ['Kept', log ? `${count(log.events)} events, ${bytes(log.bytes)}` : '–'],
    ['At most', limits],
    ['Oldest', log?.oldestAt ? ago(log.oldestAt) : '–'],
    ['Newest', log?.newestAt ? `event ${count(log.head)}, ${ago(log.newestAt)}` : '–'],
    ['Replay', String(replay)],
    ['Slow clients', slow],
    ['State', log?.state ?? '–'],
  );
}

function membersOf({ members }: ChannelView): HTMLElement[] {
  if (!members) return [];
  const rows = members.map((one) => [one.user, String(one.connections), ago(new Date(one.since).getTime())]);
  return [
    h('h2', {}, `Members (${members.length})`),
    table('Members', ['User', 'Connections', 'Since'], rows),
  ];
}

/** The live tail: the newest events, drawn once a frame at most. */
function tail(name: string, signal: AbortSignal): HTMLElement[] {
  const text = h('input', { type: 'search', placeholder: 'Part of a type or of the data' });
  const pause = h('button', { type: 'button', 'aria-pressed': 'false' }, 'Pause');
  const status = statusLine();
  const rows = h('tbody', {});
  let events: TailEvent[] = [];
  let left = 0;
  let isDue = false;
  let stop = (): void => undefined;
  const isPaused = (): boolean => pause.getAttribute('aria-pressed') === 'true';
  const draw = (): void => {
    isDue = false;
    if (isPaused()) return;
    const shown =
      left > 0 ? `The newest ${events.length}. ${count(left)} more came faster than they are shown.` : '';
    status.textContent = events.length === 0 ? 'No such event yet.' : shown;
    fill(rows, ...events.toReversed().map((event) => rowOf(name, event)));
  };
  const begin = (): void => {
    stop();
    events = [];
    left = 0;
    const client = stream<{ events: TailPart }>('tail', { channel: name, text: text.value });
    client.on('events', (part) => {
      events = [...events, ...part.events].slice(-SHOWN);
      left += part.left;
      if (isDue) return;
      isDue = true;
      requestAnimationFrame(draw);
    });
    client.subscribe(() => {
      const { state } = client;
      if (state.kind === 'closed' && state.reason === 'refused')
        status.textContent = 'The server refuses the tail.';
    });
    stop = () => client.close();
  };
  let typing: ReturnType<typeof setTimeout> | undefined;
  text.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(begin, 200);
  });
  pause.addEventListener('click', () => {
    pause.setAttribute('aria-pressed', String(!isPaused()));
    if (!isPaused()) draw();
  });
  signal.addEventListener('abort', () => stop());
  begin();
  return [
    h('h2', {}, 'Events'),
    h('div', { class: 'bar' }, h('label', {}, 'Filter', text), pause, status),
    h(
      'div',
      { class: 'scrolls tail', tabindex: '0', role: 'region', 'aria-label': 'Events, the newest first' },
      h(
        'table',
        {},
        h('caption', { class: 'hidden' }, 'Events, the newest first'),
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...['Event', 'Time', 'Type', 'Data', ''].map((head) => h('th', { scope: 'col' }, head)),
          ),
        ),
        rows,
      ),
    ),
  ];
}

const rowOf = (channelName: string, { offset, id, at, type, bytes: size, data }: TailEvent): HTMLElement =>
  h(
    'tr',
    {},
    h('td', { title: id }, String(offset)),
    h('td', {}, h('time', { datetime: fullTime(at), title: fullTime(at) }, time(at))),
    h('td', {}, type),
    h('td', { class: 'data', title: bytes(size) }, data),
    h(
      'td',
      {},
      id !== '' && h('a', { href: link('explain', '', { event: id, channel: channelName }) }, 'Who got it?'),
    ),
  );

function actions(name: string): HTMLElement[] {
  const type = h('input', { placeholder: 'message' });
  const data = h('textarea', { rows: '3', placeholder: 'JSON, or any text' });
  const status = statusLine();
  const publish = (event: Event): void => {
    event.preventDefault();
    post<{ id: string }>('publish', { channel: name, type: type.value, data: jsonOrText(data.value) }).then(
      ({ id }) => {
        status.textContent = id === '' ? 'Published.' : `Published as ${id}.`;
      },
      (error: unknown) => {
        status.textContent = reasonOf(error);
      },
    );
  };
  return [
    h('h2', {}, 'Publish a test event'),
    h(
      'form',
      { class: 'card form', submit: publish },
      h('label', {}, 'Type', type),
      h('label', {}, 'Data', data),
      h('div', { class: 'bar' }, h('button', {}, 'Publish'), status),
    ),
    h(
      'div',
      { class: 'actions' },
      actionButton(
        'Purge',
        `Delete all events in the log of "${name}"? Clients that have not read them get a gap.`,
        async () => {
          await post('purge', { channel: name });
          return 'Purged.';
        },
      ),
      actionButton(
        'Complete',
        `End "${name}"? Its streams end, and nobody can publish to it until its ttl is over.`,
        async () => {
          await post('complete', { channel: name });
          return 'Completed.';
        },
      ),
    ),
  ];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
