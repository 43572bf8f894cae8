import type { Notable } from '../recent.js';
import { badge, h } from './dom.js';
import { ago, fullTime, short } from './format.js';
import { link } from './view.js';

const TONES = { denied: 'bad', gap: 'warn', ended: 'plain' } as const;

/** The event to explain: of a gap the last that the client has missed, by its number, with which an id begins. */
function eventOf(one: Notable): string {
  if (one.kind !== 'gap') return 'latest';
  const missed = one.oldest === null ? Number.parseInt(one.latest) : Number.parseInt(one.oldest) - 1;
  return missed > 0 ? String(missed) : 'latest';
}

/** The cells of a row: when, what, who, where, and the way to an explanation. */
export function notableCells(one: Notable): (Node | string)[] {
  const { id, user, path } = one.who;
  const channel = one.kind === 'ended' ? (one.positions[0]?.channel ?? '') : one.channel;
  const who = h('a', { href: link('connections', id), title: id }, user ?? short(id));
  const when = h('time', { datetime: fullTime(one.at), title: fullTime(one.at) }, ago(one.at));
  const explain =
    channel === ''
      ? ''
      : h('a', { href: link('explain', '', { event: eventOf(one), channel, connection: id }) }, 'Explain');
  const where = channel === '' ? '' : h('a', { href: link('channels', channel) }, channel);
  return [when, badge(`${one.kind}: ${one.reason}`, TONES[one.kind]), who, where, path, explain];
}

export const NOTABLE_HEADS = ['When', 'What', 'Who', 'Channel', 'Path', ''] as const;
