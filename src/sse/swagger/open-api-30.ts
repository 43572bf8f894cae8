import { changed, isSchema, type JsonSchema } from './json-schema.js';

/*
 * OpenAPI 3.0 has a dialect of its own (OAS 3.0.4, 4.7.24): an old JSON Schema with `nullable`, and without `const`, lists of types,
 * tuples, and schemas of encoded text.
 */

/** The keywords that a schema may have there, and extensions. */
const KNOWN = new Set([
  ...['additionalProperties', 'allOf', 'anyOf', 'default', 'deprecated', 'description', 'discriminator'],
  ...[
    'enum',
    'example',
    'exclusiveMaximum',
    'exclusiveMinimum',
    'externalDocs',
    'format',
    'items',
    'maxItems',
  ],
  ...['maxLength', 'maxProperties', 'maximum', 'minItems', 'minLength', 'minProperties', 'minimum'],
  ...['multipleOf', 'not', 'nullable', 'oneOf', 'pattern', 'properties', 'readOnly', 'required', 'title'],
  ...['type', 'uniqueItems', 'writeOnly', 'xml', '$ref'],
]);

/** Says a schema of draft 2020-12 in the dialect of OpenAPI 3.0. A rule that cannot be said there is left out. */
export const inOpenApi30 = (schema: JsonSchema): JsonSchema =>
  changed(schema, (part) => {
    const said = [decoded, withEnum, withType, withBounds, withItems, withNullable].reduce(
      (before, say) => say(before),
      part,
    );
    const known = Object.entries(said).filter(([key]) => KNOWN.has(key) || key.startsWith('x-'));
    return apart(Object.fromEntries(known.map(([key, value]) => [key, withoutBooleans(key, value)])));
  });

/** JSON in a text is shown as what the text says. */
function decoded({ contentSchema, contentMediaType, ...schema }: JsonSchema): JsonSchema {
  if (!isSchema(contentSchema) || contentMediaType === undefined) return schema;
  const { type: _, ...others } = schema;
  return { ...others, allOf: [contentSchema], description: schema['description'] ?? 'Sent as JSON.' };
}

function withEnum({ const: value, examples, ...schema }: JsonSchema): JsonSchema {
  const [example] = Array.isArray(examples) ? (examples as unknown[]) : [];
  return {
    ...schema,
    ...(value !== undefined && { enum: [value] }),
    ...(example !== undefined && { example }),
  };
}

function withType({ type, ...schema }: JsonSchema): JsonSchema {
  if (type === 'null') return { ...schema, enum: [null], nullable: true };
  if (!Array.isArray(type)) return type === undefined ? schema : { ...schema, type };
  const others = type.filter((one) => one !== 'null');
  const nullable = others.length < type.length && { nullable: true };
  if (others.length === 1) return { ...schema, type: others[0] as unknown, ...nullable };
  return { ...schema, anyOf: others.map((one: unknown) => ({ type: one, ...nullable })) };
}

/** An exclusive bound is a bound, and the word that it is exclusive. */
function withBounds(schema: JsonSchema): JsonSchema {
  const { exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  return {
    ...schema,
    ...(typeof above === 'number' && { minimum: above, exclusiveMinimum: true }),
    ...(typeof below === 'number' && { maximum: below, exclusiveMaximum: true }),
  };
}

/** A list has items, and all are of one schema. */
function withItems({ prefixItems, ...schema }: JsonSchema): JsonSchema {
  if (Array.isArray(prefixItems)) return { ...schema, items: { anyOf: prefixItems } };
  return schema['type'] === 'array' && !isSchema(schema['items']) ? { ...schema, items: {} } : schema;
}

/** A choice that has null among it. */
function withNullable(schema: JsonSchema): JsonSchema {
  const key = Array.isArray(schema['anyOf']) ? 'anyOf' : 'oneOf';
  const parts = schema[key] as readonly JsonSchema[] | undefined;
  const others = parts?.filter((part) => !isNull(part)) ?? [];
  if (!parts || others.length === parts.length || others.length === 0) return schema;
  const { [key]: _, ...rest } = schema;
  const [only, ...more] = others as [JsonSchema, ...JsonSchema[]];
  if (more.length > 0) return { ...rest, [key]: others, nullable: true };
  return '$ref' in only ? { ...rest, allOf: [only], nullable: true } : { ...only, ...rest, nullable: true };
}

function isNull({ enum: values, type }: JsonSchema): boolean {
  return type === undefined && Array.isArray(values) && values.length === 1 && values[0] === null;
}

/** Beside a reference nothing counts. */
function apart({ $ref, ...others }: JsonSchema): JsonSchema {
  if ($ref === undefined) return others;
  return Object.keys(others).length === 0 ? { $ref } : { allOf: [{ $ref }], ...others };
}

/** Only `additionalProperties` may be true or false. */
function withoutBooleans(key: string, value: unknown): unknown {
  if (key === 'properties') {
    const entries = Object.entries(value as JsonSchema);
    return Object.fromEntries(entries.map(([name, part]) => [name, asSchema(part)]));
  }
  if (key === 'not' || key === 'items') return asSchema(value);
  return Array.isArray(value) && key.endsWith('Of') ? value.map(asSchema) : value;
}

function asSchema(value: unknown): unknown {
  if (value === true) return {};
  return value === false ? { not: {} } : value;
}
