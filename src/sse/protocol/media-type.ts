import type { IdForm } from './position.js';

/** The value of `Content-Type` by the form of the ids. A client asks for own ids with the same in its `Accept`. */
export const EVENT_STREAM: Readonly<Record<IdForm, string>> = {
  full: 'text/event-stream',
  own: 'text/event-stream;ids=own',
};

/** The form of ids that an `Accept` header asks for (RFC 9110, 12.5.1). */
export const idFormOf = (accept: string | undefined): IdForm =>
  // Nearly no client has parameters, and then nothing is taken apart.
  accept?.includes(';') && accept.split(',').some(asksForOwnIds) ? 'own' : 'full';

function asksForOwnIds(range: string): boolean {
  const [type, ...given] = range.split(';').map((part) => part.trim());
  if (given.length === 0 || type?.toLowerCase() !== EVENT_STREAM.full) return false;
  const parameters = new Map(given.map(parameterOf));
  // A weight of 0 says that this is not wanted.
  return parameters.get('ids') === 'own' && Number(parameters.get('q') ?? 1) !== 0;
}

/** Names are case-insensitive, values may be quoted. */
function parameterOf(text: string): [name: string, value: string] {
  const equals = text.indexOf('=');
  const value = text.slice(equals + 1).trim();
  return [text.slice(0, Math.max(equals, 0)).trim().toLowerCase(), value.replace(/^"(.*)"$/, '$1')];
}
