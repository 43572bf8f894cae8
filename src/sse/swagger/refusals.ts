import type { DescribedApp } from './described-app.js';
import type { Route } from './documented-operations.js';
import type { JsonSchema } from './json-schema.js';
import { holdsForSome, type Streamed } from './streamed.js';

/** The responses of an operation, by status. */
export type Responses = Readonly<Record<string, JsonSchema>>;

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds after which to come back.',
    schema: { type: 'integer', minimum: 1 },
  },
};

export const response = (description: string): JsonSchema => ({ description });

export const retryLater = (description: string): JsonSchema => ({ description, headers: RETRY_AFTER });

export const NO_JSON = response('The body is not JSON.');

/** The statuses by which a request for a stream may be refused: those that the settings and the route allow to happen. */
export function refusalsOf(app: DescribedApp, { controller, method }: Route, streamed: Streamed): Responses {
  const { whenFull, limits } = app.settings;
  // With `whenFull: 'retry'` an EventSource is sent away with 200, and comes back.
  const isRefused = streamed.by === 'plain route' || whenFull === 'refuse';
  const isRestricted = holdsForSome(streamed, (definition) => app.isRestricted(definition));
  const mayLackState = holdsForSome(streamed, (definition) => app.hasSnapshots(definition));
  return {
    ...(app.knowsUsers && { 401: response('The identity of the client is not accepted, or has expired.') }),
    ...((isRestricted || app.isGuarded(controller, method)) && {
      403: response('A guard refuses the client, or it may have none of the channels.'),
    }),
    ...(isRefused &&
      limits.connectionsPerKey !== Infinity && {
        429: retryLater('The client has too many streams open.'),
      }),
    ...((isRefused || mayLackState) && {
      503: isRefused
        ? retryLater('There are too many streams, or the channels cannot be reached now.')
        : response('The state of a channel was not known in time.'),
    }),
  };
}
