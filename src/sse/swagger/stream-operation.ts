import { RequestMethod } from '@nestjs/common';
import type { ServedRoute } from '../http/sse-server.js';
import type { DescribedApp } from './described-app.js';
import { addParameters, addResponses, type Parameter } from './described-operation.js';
import type { Operation } from './documented-operations.js';
import type { JsonSchema } from './json-schema.js';
import { refusalsOf, response } from './refusals.js';
import type { StreamContent } from './stream-content.js';
import { holdsForSome, type Streamed } from './streamed.js';

/** Nest's keys for the status that `@HttpCode()` sets, and the method of requests. */
const STATUS = '__httpCode__';
const VERB = 'method';

/** The two ways in which a client tells its position. */
export const POSITION: readonly Parameter[] = [
  {
    name: 'Last-Event-ID',
    in: 'header',
    required: false,
    description:
      'The id of the last event that the client got: the stream continues after it. An EventSource sends it when it reconnects.',
    schema: { type: 'string' },
  },
  {
    name: 'lastEventId',
    in: 'query',
    required: false,
    description: 'The same as the header Last-Event-ID, for a client that cannot set it.',
    schema: { type: 'string' },
  },
];

const COMPLETED = response(
  'All channels of the stream have completed, and the client has all of their events. An EventSource stays away then.',
);

/** Describes a route that streams events. What the application itself has said of it stays. */
export function describeStream(
  app: DescribedApp,
  content: StreamContent,
  route: ServedRoute,
  operation: Operation,
): void {
  const streamed = app.streamedBy(route);
  const canResume = holdsForSome(streamed, (definition) => app.hasHistory(definition));
  if (canResume) addParameters(operation, POSITION);
  addResponses(operation, {
    [statusOf(route)]: streamResponse(streamed, content),
    ...(holdsForSome(streamed, () => true) && { 204: COMPLETED }),
    ...refusalsOf(app, route, streamed),
  });
}

/** The response that is a stream. */
export function streamResponse(streamed: Streamed, content: StreamContent): JsonSchema {
  const names = streamed.definitions.map(({ pattern }) => `\`${pattern}\``).join(', ');
  return {
    description: `Server-Sent Events${names && ` of the channels ${names}`}.`,
    content: { 'text/event-stream': content.of(streamed) },
  };
}

/** A POST has another default; the `@Sse()` of this package sets a status itself. */
function statusOf({ method }: ServedRoute): number {
  const isPost = Reflect.getMetadata(VERB, method) === RequestMethod.POST;
  return (Reflect.getMetadata(STATUS, method) as number | undefined) ?? (isPost ? 201 : 200);
}
