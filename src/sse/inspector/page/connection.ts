import type { ConnectionView, StreamRow } from '../connection-rows.js';
import { actionButton, endedText } from './actions.js';
import { get, post, remove } from './api.js';
import { badge, fill, h, statusLine, table, terms } from './dom.js';
import { ago, bytes, count, fullTime, span } from './format.js';
import { failing, link, repeatedly, type Surroundings } from './view.js';

type View = ConnectionView & { readonly instance: string };

/** One connection: where it stands in each of its channels. */
export function connection({ signal, readOnly }: Surroundings, id: string): HTMLElement {
  const status = statusLine();
  const about = h('div', {});
  const streams = h('div', {});
  const actions = h('div', { class: 'actions' });
  let known: View | undefined;
  const refresh = async (): Promise<void> => {
    const view = await get<View>(`connections/${encodeURIComponent(id)}`, {}, signal);
    if (!known && !readOnly) fill(actions, ...actionsOf(view));
    known = view;
    status.textContent = '';
    fill(about, aboutOf(view));
    fill(streams, streamsOf(view));
  };
  repeatedly(() => refresh().catch(failing(status, signal)), 1_000, signal);
  return h(
    'section',
    {},
    h('p', {}, h('a', { href: link('connections') }, 'All connections')),
    h('h1', {}, 'Connection'),
    status,
    about,
    h('h2', {}, 'Channels'),
    streams,
    actions,
    h(
      'p',
      {},
      h('a', { href: link('explain', '', { connection: id }) }, 'Explain an event to this connection'),
    ),
  );
}

const aboutOf = ({ id, user, state, path, address, since, instance, waiting, brought }: View): HTMLElement =>
  terms(
    ['Id', h('code', {}, id)],
    ['User', user ?? 'unknown'],
    ['State', badge(state, state === 'open' ? 'good' : 'warn')],
    ['Path', path],
    ['Address', address ?? ''],
    ['Since', h('time', { datetime: fullTime(since), title: fullTime(since) }, ago(since))],
    ['Bytes waiting', bytes(waiting)],
    ['Came with position', brought === '' ? 'none' : h('code', {}, brought)],
    ['Instance', h('code', {}, instance)],
  );

const streamsOf = ({ id, streams }: View): HTMLElement =>
  table(
    'Channels of the connection',
    ['Channel', 'State', 'Written up to', 'Read up to', 'Newest', 'Lag', 'Takes', ''],
    streams.map((one) => [
      h('a', { href: link('channels', one.channel) }, one.channel),
      badge(one.state, one.state === 'reading' ? 'good' : 'plain'),
      one.given === undefined ? '–' : h('span', { title: one.givenId }, count(one.given)),
      count(one.read),
      h('span', { title: one.headId }, count(one.head)),
      one.lag === 0 ? '0' : `${count(one.lag)} (${span(one.lagTime)})`,
      takes(one),
      h(
        'a',
        { href: link('explain', '', { event: 'latest', channel: one.channel, connection: id }) },
        'Explain',
      ),
    ]),
  );

function takes({ types, hasFilter }: StreamRow): string {
  const kinds = types ? `types ${types.join(', ')}` : 'all';
  return hasFilter ? `${kinds}, with a filter` : kinds;
}

function actionsOf({ id, user, streams }: View): HTMLElement[] {
  const disconnect = actionButton('Disconnect', 'End this connection? Its client may come back.', async () =>
    endedText((await remove(`connections/${encodeURIComponent(id)}`)) as never),
  );
  if (user === undefined) return [disconnect];
  const revokes = streams.map(({ channel }) =>
    actionButton(
      `Revoke ${channel}`,
      `Take "${channel}" away from all streams of "${user}"? First make the application refuse it, or the client may stream it again.`,
      async () => endedText(await post('revoke', { user, channel })),
    ),
  );
  return [disconnect, ...revokes];
}
