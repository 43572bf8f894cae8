import type { OpenAPIObject } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as z from 'zod';

/** A document, as a test looks into it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the type of @nestjs/swagger lacks what is new in OpenAPI 3.2
export type Json = any;

/** What is wrong with a document by the schema of its version; undefined if nothing is. */
export async function faultsOf(document: object): Promise<unknown> {
  const copy = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
  const { valid, errors } = await new Validator().validate(copy);
  return valid ? undefined : errors;
}

/** The references of a document that lead nowhere. */
export function deadReferences(document: object): string[] {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref = '']) => ref);
  return [...new Set(references)].filter((reference) => {
    if (!reference.startsWith('#/')) return true;
    const keys = reference.slice(2).split('/').map(decodeURIComponent);
    return keys.reduce<Json>((part, key) => part?.[key.replaceAll('~1', '/')], document) === undefined;
  });
}

/** The operations of a document: `GET /orders`. */
export const operationsOf = (document: OpenAPIObject): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([verb, operation]) => [`${verb.toUpperCase()} ${path}`, operation]),
    ),
  );

/** The media type of an operation's event stream. */
export const streamOf = (document: OpenAPIObject, operation: string, status = 200): Json =>
  operationsOf(document)[operation].responses[status].content['text/event-stream'];

/** The names of the components that an operation's stream may carry. */
export const eventsOf = (document: OpenAPIObject, operation: string, status = 200): string[] =>
  streamOf(document, operation, status).schema.items.anyOf.map(({ $ref }: { $ref: string }) =>
    $ref.replace('#/components/schemas/', ''),
  );

/** Whether a schema of a document of OpenAPI 3.1 or newer takes a value. */
export function takes(document: OpenAPIObject, schema: object, value: unknown): boolean {
  const { schemas } = document.components ?? {};
  const alone = JSON.stringify({ ...schema, $defs: schemas }).replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(JSON.parse(alone) as never).safeParse(value).success;
}

export const schemasOf = (document: OpenAPIObject): Record<string, Json> =>
  document.components?.schemas ?? {};
