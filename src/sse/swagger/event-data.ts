import { Logger } from '@nestjs/common';
import type { StandardJSONSchemaV1 } from '@standard-schema/spec';
import type { ChannelRule } from '../channels/channel-definition.js';
import { reasonOf } from '../sse.errors.js';
import { componentName, type Components, type Reference } from './components.js';
import type { DescribedApp } from './described-app.js';
import { formOf, placed, type DataForm, type JsonSchema } from './json-schema.js';
import { PACKAGE_EVENTS, packageName, PRESENCE_EVENT, type PackageEventType } from './package-events.js';

/** The two sides of a schema: what is published is its input, what arrives its output. */
export type Side = 'input' | 'output';

/** The ends of the names of components. */
const NAME: Readonly<Record<Side, string>> = { input: 'Input', output: 'Data' };

/** An event of a channel, as its definition has it. */
export interface ChannelEvent {
  readonly type: string;
  /** The schema of its data; undefined where nothing is known of it. */
  readonly data: Reference | undefined;
  readonly form: DataForm;
}

/** Events of a channel that announces its members. */
const PRESENCE_TYPES: readonly string[] = ['join', 'leave'];

/** The types of events of such a channel: only this package publishes `join` and `leave`. */
const withPresence = (types: readonly string[], side: Side): string[] =>
  side === 'output'
    ? [...new Set([...types, ...PRESENCE_TYPES])]
    : types.filter((type) => !PRESENCE_TYPES.includes(type));

/** Types that were reported to have no schema. Once for each is enough. */
const reported = new WeakMap<ChannelRule, Set<string>>();

/** The data of the events of channels, as schemas of a document. */
export class EventData {
  readonly #missing: string[] = [];

  /** @param target the dialect of the document's schemas */
  constructor(
    private readonly app: DescribedApp,
    private readonly schemas: Components,
    private readonly target: StandardJSONSchemaV1.Target,
    private readonly dialect: (schema: JsonSchema) => JsonSchema = (schema) => schema,
  ) {}

  /** The events of a definition; undefined where it allows any. */
  of(definition: ChannelRule, side: Side): ChannelEvent[] | undefined {
    if (!definition.events) return undefined;
    const own = [...definition.events.keys()];
    const types = this.app.announcesMembers(definition) ? withPresence(own, side) : own;
    return types.map((type) => this.#event(definition, type, side));
  }

  /** An event of this package. */
  ofPackage(type: PackageEventType): ChannelEvent {
    const { data } = PACKAGE_EVENTS[type];
    return { type, data: this.#place(data, packageName(type), 'Data'), form: formOf(data) };
  }

  /** Reports the types that are described without a schema. */
  report(): void {
    if (this.#missing.length === 0) return;
    new Logger('SseSwagger').warn(
      `Events without a JSON Schema are described as any data: ${this.#missing.join('; ')}. Give their definitions schemas with Standard JSON Schema, as of zod 4.2, arktype 2.1.28, or valibot by way of toStandardJsonSchema().`,
    );
  }

  #event(definition: ChannelRule, type: string, side: Side): ChannelEvent {
    if (this.#isOfPresence(definition, type))
      return { type, data: this.#place(PRESENCE_EVENT, 'sse-presence', 'Data'), form: 'json' };
    const schema = this.#schemaOf(definition, type, side);
    if (!schema) return { type, data: undefined, form: 'any' };
    const form = formOf(schema);
    const data = form === 'none' ? undefined : this.#place(schema, definition.pattern, type, NAME[side]);
    return { type, data, form };
  }

  /** Makes a schema a component, and those that it defines for itself further ones. */
  #place(schema: JsonSchema, ...name: readonly string[]): Reference {
    return this.schemas.add(componentName(...name), (own) => {
      const nameOf = (definition: string): string => `${own}_${componentName(definition)}`;
      const refTo = (definition?: string): string =>
        this.schemas.ref(definition === undefined ? own : nameOf(definition)).$ref;
      const { schema: root, definitions } = placed(schema, refTo);
      const others = Array.from(definitions, ([key, part]) => [nameOf(key), this.dialect(part)] as const);
      return { [own]: this.dialect(root), ...Object.fromEntries(others) };
    });
  }

  /** Whether this package publishes the event. A schema of the application says more. */
  #isOfPresence(definition: ChannelRule, type: string): boolean {
    const isAnnounced = PRESENCE_TYPES.includes(type) && this.app.announcesMembers(definition);
    return isAnnounced && definition.events?.get(type) === undefined;
  }

  #schemaOf(definition: ChannelRule, type: string, side: Side): JsonSchema | undefined {
    const schema = definition.events?.get(type) as Partial<StandardJSONSchemaV1> | undefined;
    try {
      const made = schema?.['~standard']?.jsonSchema?.[side]({ target: this.target });
      if (!made) this.#lacks(definition, type);
      return made && plain(made);
    } catch (error) {
      this.#lacks(definition, type, reasonOf(error));
      return undefined;
    }
  }

  #lacks(definition: ChannelRule, type: string, reason?: string): void {
    const known = reported.get(definition) ?? new Set();
    reported.set(definition, known);
    if (known.has(type)) return;
    known.add(type);
    this.#missing.push(`"${type}" of ${definition.pattern}${reason === undefined ? '' : ` (${reason})`}`);
  }
}

/** A copy that is only JSON: a library may put properties of its own on what it makes. */
const plain = (schema: Record<string, unknown>): JsonSchema =>
  JSON.parse(JSON.stringify(schema)) as JsonSchema;
