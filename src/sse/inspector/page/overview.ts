import type { FiguresMessage, InstanceFigures } from '../inspector.js';
import type { Notable } from '../recent.js';
import { get } from './api.js';
import { fill, h, statusLine, table } from './dom.js';
import { bytes, count, short, span } from './format.js';
import { NOTABLE_HEADS, notableCells } from './notable.js';
import { Plot } from './plots.js';
import { link, repeatedly, type Surroundings } from './view.js';

const sum = (all: readonly InstanceFigures[], of: (one: InstanceFigures) => number): number =>
  all.reduce((total, one) => total + of(one), 0);

/** The first view: what moves, on which instances, and what went wrong lately. */
export function overview(
  { signal, instance }: Surroundings,
  heard: (listener: (message: FiguresMessage) => void, signal: AbortSignal) => void,
): HTMLElement {
  const latency = (values: readonly (number | null)[]): string =>
    values[1] === null || values[1] === undefined ? 'none' : `${span(values[0] ?? 0)} to ${span(values[1])}`;
  const perSecond = ([value]: readonly (number | null)[]): string => `${count(value ?? 0)} / s`;
  const plots = {
    events: new Plot('Events published', [{ name: 'events', colour: 'accent' }], perSecond, signal),
    deliveries: new Plot('Deliveries', [{ name: 'deliveries', colour: 'second' }], perSecond, signal),
    latency: new Plot(
      'Delivery latency, least and most',
      [
        { name: 'least', colour: 'accent' },
        { name: 'most', colour: 'warn' },
      ],
      latency,
      signal,
    ),
    gaps: new Plot('Gaps', [{ name: 'gaps', colour: 'error' }], perSecond, signal),
  };
  const tiles = h('ul', { class: 'tiles' });
  const instances = h('div', {});
  const troubles = h('div', {});
  const fault = statusLine();
  heard(({ at, instances: all, fault: missing }) => {
    const shown = all.filter((one) => instance === undefined || one.instance === instance);
    const latencies = shown.flatMap((one) => (one.latency ? [one.latency] : []));
    plots.events.add(at, [sum(shown, (one) => one.published)]);
    plots.deliveries.add(at, [sum(shown, (one) => one.deliveries)]);
    plots.latency.add(
      at,
      latencies.length === 0
        ? [null, null]
        : [Math.min(...latencies.map(([min]) => min)), Math.max(...latencies.map(([, max]) => max))],
    );
    plots.gaps.add(at, [sum(shown, (one) => one.gaps)]);
    fill(tiles, ...tilesOf(shown));
    fill(instances, instancesTable(all));
    fault.textContent = missing ?? '';
  }, signal);
  repeatedly(
    async () => {
      const { items } = await get<{ items: readonly Notable[] }>('recent', {}, signal);
      const seen = items.slice(0, 30);
      fill(
        troubles,
        seen.length === 0
          ? h('p', { class: 'soft' }, 'No denial, gap or forced end in the last minutes.')
          : table('Recent denials, gaps and ends', NOTABLE_HEADS, seen.map(notableCells)),
      );
    },
    3_000,
    signal,
  );
  return h(
    'section',
    {},
    h('h1', {}, 'Overview'),
    fault,
    tiles,
    h('div', { class: 'plots' }, ...Object.values(plots).map(({ element }) => element)),
    h('h2', {}, 'Lately'),
    troubles,
    h('h2', {}, 'Instances'),
    instances,
  );
}

function tilesOf(all: readonly InstanceFigures[]): HTMLElement[] {
  const figures: readonly (readonly [string, string, string])[] = [
    ['Connections', count(sum(all, ({ stats }) => stats.connections)), link('connections')],
    ['Streams of channels', count(sum(all, ({ stats }) => stats.subscribers)), link('channels')],
    ['Bytes handed on', `${bytes(sum(all, (one) => one.bytes))} / s`, ''],
    [
      'Opened, ended',
      `${count(sum(all, (one) => one.opened))}, ${count(sum(all, (one) => one.ended))} / s`,
      '',
    ],
    [
      'Backed up',
      `${count(sum(all, (one) => one.backedUp))} / s`,
      link('connections', '', { state: 'backed up' }),
    ],
    [
      'Denied, refused',
      `${count(sum(all, (one) => one.denied))}, ${count(sum(all, (one) => one.refused))} / s`,
      '',
    ],
  ];
  return figures.map(([name, value, to]) =>
    h(
      'li',
      { class: 'card tile' },
      to === '' ? h('span', {}, name) : h('a', { href: to }, name),
      h('strong', {}, value),
    ),
  );
}

const instancesTable = (all: readonly InstanceFigures[]): HTMLElement =>
  table(
    'Instances',
    ['Instance', 'Connections', 'Streams', 'Published', 'Events kept', 'Bytes kept', 'Memory'],
    all.map(({ instance, stats, memory }) => [
      h('code', { title: instance }, short(instance)),
      count(stats.connections),
      count(stats.subscribers),
      count(stats.published),
      count(stats.historyEvents),
      bytes(stats.historyBytes),
      bytes(memory),
    ]),
  );
