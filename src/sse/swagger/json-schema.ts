/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The keywords of JSON Schema whose value is a schema, a list of schemas, or an object of schemas. */
const SCHEMAS = new Set([
  ...['additionalItems', 'additionalProperties', 'allOf', 'anyOf', 'contains', 'contentSchema', 'else', 'if'],
  ...['items', 'not', 'oneOf', 'prefixItems', 'propertyNames', 'then', 'unevaluatedItems'],
  'unevaluatedProperties',
]);
const NAMED_SCHEMAS = new Set([
  ...['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties'],
]);

/** Rebuilds a schema from the inside out: what `change` makes of each part takes the place of the part. */
export function changed(schema: JsonSchema, change: (part: JsonSchema) => JsonSchema): JsonSchema {
  const within = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(within);
    return isSchema(value) ? changed(value, change) : value; // true and false are schemas, too, and stay
  };
  const entries = Object.entries(schema).map(([key, value]): [string, unknown] => {
    if (SCHEMAS.has(key)) return [key, within(value)];
    if (NAMED_SCHEMAS.has(key) && isSchema(value)) return [key, mapped(value, within)];
    return [key, value];
  });
  return change(Object.fromEntries(entries));
}

/** A schema as a component of a document, with the schemas that it defines for itself as further components. */
export interface Placed {
  readonly schema: JsonSchema;
  /** By the name under which `refTo` refers to each. */
  readonly definitions: ReadonlyMap<string, JsonSchema>;
}

/**
 * Makes a schema that stands alone a part of a document. Its references begin at its own root (`#`, `#/$defs/Address`), which
 * would be the root of the document there.
 *
 * @param refTo the address of a component in the document, for the schema itself and, with a name, for one of its definitions
 */
export function placed(schema: JsonSchema, refTo: (definition?: string) => string): Placed {
  const { $schema: _, $defs = {}, definitions = {}, ...root } = schema;
  const place = (part: JsonSchema): JsonSchema => changed(part, (one) => redirected(one, refTo));
  const named = Object.entries({ ...($defs as object), ...(definitions as object) });
  return {
    schema: place(root),
    definitions: new Map(named.map(([name, part]) => [name, place(part as JsonSchema)])),
  };
}

function redirected(schema: JsonSchema, refTo: (definition?: string) => string): JsonSchema {
  const { $ref } = schema;
  if (typeof $ref !== 'string') return schema;
  const [, definition, rest = ''] = /^#\/(?:\$defs|definitions)\/([^/]+)(\/.*)?$/.exec($ref) ?? [];
  if (definition !== undefined) return { ...schema, $ref: refTo(pointerDecoded(definition)) + rest };
  return /^#(?=$|\/)/.test($ref) ? { ...schema, $ref: refTo() + $ref.slice(1) } : schema;
}

/** A segment of a JSON pointer in a URI fragment (RFC 6901, 6). */
const pointerDecoded = (segment: string): string =>
  decodeURIComponent(segment).replaceAll('~1', '/').replaceAll('~0', '~');

/**
 * The form in which the hub sends data of a schema: a string as it is, any other value as JSON, and no data as the empty
 * string. `any` may be either.
 */
export type DataForm = 'text' | 'json' | 'any' | 'none';

/** @param root the schema that references of its parts begin at */
export function formOf(schema: JsonSchema, root = schema, depth = 0): DataForm {
  const { type, enum: values, anyOf, oneOf, $ref, not } = schema;
  const parts = (list: unknown): DataForm =>
    joint((list as JsonSchema[]).map((part) => formOf(part, root, depth + 1)));
  if (depth > DEEPEST) return 'any';
  if ('const' in schema) return formOfValue(schema['const']);
  if (Array.isArray(values)) return joint(values.map(formOfValue));
  if (typeof type === 'string') return type === 'string' ? 'text' : 'json';
  if (Array.isArray(type)) return joint(type.map((one) => (one === 'string' ? 'text' : 'json')));
  if (Array.isArray(anyOf)) return parts(anyOf);
  if (Array.isArray(oneOf)) return parts(oneOf);
  if (typeof $ref === 'string') return formOf(targetOf($ref, root), root, depth + 1);
  return isSchema(not) && Object.keys(not).length === 0 ? 'none' : 'any';
}

/** References that are followed, as they may lead in a circle. */
const DEEPEST = 20;

const formOfValue = (value: unknown): DataForm => (typeof value === 'string' ? 'text' : 'json');

const joint = (forms: readonly DataForm[]): DataForm => {
  const [first = 'any', ...others] = forms;
  return others.every((form) => form === first) ? first : 'any';
};

/** The part that a local reference names; a schema that allows everything where there is none. */
function targetOf($ref: string, root: JsonSchema): JsonSchema {
  const [base = '', ...path] = $ref.split('/').map(pointerDecoded);
  if (base !== '#') return {};
  let target: unknown = root;
  for (const key of path) target = isSchema(target) ? target[key] : undefined;
  return isSchema(target) ? target : {};
}

export const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapped = (object: JsonSchema, change: (value: unknown) => unknown): JsonSchema =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
