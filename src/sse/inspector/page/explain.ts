import { reasonOf } from '../../sse.errors.js';
import type { Explanation } from '../inspector.js';
import { get } from './api.js';
import { badge, fill, h, terms } from './dom.js';
import { bytes, fullTime, short } from './format.js';
import { link, type Surroundings } from './view.js';

const TONES = {
  written: 'good',
  replayed: 'good',
  passed: 'plain',
  waiting: 'warn',
  held: 'warn',
  filtered: 'warn',
  gap: 'bad',
  denied: 'bad',
  earlier: 'plain',
  ended: 'plain',
  absent: 'plain',
} as const;

/** Asks what became of an event. The question is in the address, so that it can be sent to somebody. */
export function explain({ signal }: Surroundings, query: URLSearchParams): HTMLElement {
  const field = (name: string, label: string, hint: string, required = false): HTMLElement =>
    h(
      'label',
      {},
      label,
      h('input', { name, value: query.get(name) ?? '', placeholder: hint, required, autocomplete: 'off' }),
    );
  const ask = (event: Event): void => {
    event.preventDefault();
    const given = [...new FormData(event.target as HTMLFormElement)].map(([name, value]) => [
      name,
      (value as string).trim(),
    ]);
    const filled = Object.fromEntries(given.filter(([, value]) => value !== '')) as Record<string, string>;
    const target = link('explain', '', filled);
    if (location.hash === target) void show();
    else location.hash = target;
  };
  const answer = h('div', { 'aria-live': 'polite', class: 'answer' });
  const show = async (): Promise<void> => {
    try {
      const explanation = await get<Explanation>('explain', Object.fromEntries(query), signal);
      fill(answer, ...answerOf(explanation));
    } catch (error) {
      if (!signal.aborted) fill(answer, h('p', { class: 'sentence' }, reasonOf(error)));
    }
  };
  if (query.has('event')) void show();
  return h(
    'section',
    {},
    h('h1', {}, 'What became of an event?'),
    h(
      'form',
      { class: 'card form', submit: ask },
      field('event', 'Event', 'Id or number, or: latest', true),
      field('channel', 'Channel', 'Or empty, with an id'),
      field('user', 'User', 'Or empty: everybody'),
      field('connection', 'Connection', 'Id, or empty'),
      h('div', { class: 'bar' }, h('button', {}, 'Explain')),
    ),
    !query.has('event') &&
      h(
        'p',
        { class: 'soft' },
        'Every event of a ',
        h('a', { href: link('channels') }, 'channel'),
        ' has a link to this page: Who got it?',
      ),
    answer,
  );
}

function answerOf({ sentence, event, verdicts, fault }: Explanation): HTMLElement[] {
  return [
    h('p', { class: 'sentence' }, sentence),
    ...(fault === undefined ? [] : [h('p', { class: 'status' }, fault)]),
    terms(
      ['Event', `${event.offset} of ${event.channel}`],
      ['Id', event.id === '' ? '–' : h('code', {}, event.id)],
      ['State', badge(event.state, event.state === 'kept' ? 'good' : 'warn')],
      [
        'Published',
        event.at === undefined ? '–' : `${fullTime(event.at).slice(0, 19).replace('T', ' ')} UTC`,
      ],
      ['Type', event.type ?? '–'],
      ['Size', event.bytes === undefined ? '–' : bytes(event.bytes)],
      ['Data', event.data === undefined ? '–' : h('code', { class: 'data' }, event.data)],
    ),
    ...verdicts.map((one) => verdictCard(one, sentence)),
  ];
}

/** @param said the sentence above, which is not repeated */
const verdictCard = (
  { outcome, sentence, facts, connection, user }: Explanation['verdicts'][number],
  said: string,
): HTMLElement =>
  h(
    'article',
    { class: 'card verdict' },
    h(
      'h2',
      {},
      badge(outcome, TONES[outcome]),
      h('a', { href: link('connections', connection) }, user ?? short(connection)),
    ),
    sentence !== said && h('p', {}, sentence),
    h(
      'details',
      {},
      h('summary', {}, 'Facts'),
      terms(
        ...facts.map(
          ({ label, value, isTime }) =>
            [label, isTime === true ? fullTime(Number(value)) : String(value)] as const,
        ),
      ),
    ),
  );
