import { isDeepStrictEqual } from 'node:util';
import type { Operation, Route } from './documented-operations.js';
import type { JsonSchema } from './json-schema.js';
import type { Responses } from './refusals.js';

/*
 * An operation is completed: what the application has declared of it stays.
 */

/** A method of a controller, and what describes its operation. */
export interface DescribedMethod extends Route {
  describe(operation: Operation): void;
}

export type Parameter = JsonSchema & { readonly name: string; readonly in: string };

/** A parameter that an operation has: a reference has no name. */
type Declared = Partial<Parameter>;

/** Says what an operation is for, where the application has not. */
export function say(operation: Operation, summary: string, description: string): void {
  operation.summary ||= summary;
  operation.description ||= description;
}

/** Content that is JSON. */
export const jsonOf = (schema: JsonSchema): JsonSchema => ({ 'application/json': { schema } });

/** Sets the body that a controller of this package takes: no application can have declared it. */
export function setBody(operation: Operation, content: JsonSchema): void {
  operation.requestBody = { required: true, content } as NonNullable<Operation['requestBody']>;
}

/** Adds parameters to those that the application has declared. The names of headers are case-insensitive. */
export function addParameters(operation: Operation, parameters: readonly Parameter[]): void {
  const known = (operation.parameters ?? []) as Declared[];
  const isNew = (one: Parameter): boolean =>
    !known.some((other) => other.in === one.in && other.name?.toLowerCase() === one.name.toLowerCase());
  operation.parameters = [...known, ...parameters.filter(isNew)] as NonNullable<Operation['parameters']>;
}

/** Adds responses. What the application has declared of one counts more; Nest declares one without a description. */
export function addResponses(operation: Operation, responses: Responses): void {
  const declared = operation.responses as Record<string, JsonSchema | undefined>;
  for (const [status, added] of Object.entries(responses)) {
    const { description, content, ...others } = declared[status] ?? {};
    if ('$ref' in others) continue;
    declared[status] = {
      ...added,
      ...others,
      description: description || added['description'],
      ...mergedContent(added['content'], content),
    };
  }
}

function mergedContent(added: unknown, declared: unknown): JsonSchema {
  if (added === undefined && declared === undefined) return {};
  const own = Object.entries((declared ?? {}) as JsonSchema).filter(([, media]) => !isAnyObject(media));
  return { content: { ...(added as object | undefined), ...Object.fromEntries(own) } };
}

/** What Nest's compiler plugin declares where a method returns an Observable: it says nothing. */
const isAnyObject = (media: unknown): boolean => isDeepStrictEqual(media, { schema: { type: 'object' } });
