import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkChannelOptions } from '../channel.settings.js';
import { COPY, processWide, type PackageCopy } from '../package-copy.js';
import type { ChannelOptions, SlowPolicy } from '../sse.options.js';
import type { JsonOf } from '../log/json-of.js';
import { ChannelPattern, type ChannelParams } from './channel-pattern.js';
import { checkedBy, eventSchemas, type EventSchemas, type EventType } from './event-schemas.js';
import type { AnyEvents, ChannelName, EventMap, PublishedEvent } from '../log/sse-event.js';

type EventTypes = Readonly<Record<string, EventType<unknown> | StandardSchemaV1>>;

/** The data that a schema takes or gives, or that `type()` has named. */
type DataOf<Type, Side extends 'input' | 'output'> = Type extends StandardSchemaV1
  ? NonNullable<Type['~standard']['types']>[Side]
  : Type extends EventType<infer Data>
    ? Data
    : never;

/** The data of each type as it arrives: what JSON makes of it, or of the output of a schema. */
type EventsOfTypes<Types extends EventTypes> = string extends keyof Types
  ? AnyEvents
  : { readonly [Type in keyof Types & string]: JsonOf<DataOf<Types[Type], 'output'>> };

/** The data of each type as it is published: of a schema its input. */
type InputsOfTypes<Types extends EventTypes> = string extends keyof Types
  ? AnyEvents
  : { readonly [Type in keyof Types & string]: DataOf<Types[Type], 'input'> };

/** Options of `defineChannel()`. The module's options are the defaults. */
export interface ChannelDefinitionOptions<Types extends EventTypes> extends Omit<ChannelOptions, 'slow'> {
  /**
   * The events of the channel by type: for each the type of its data, by `type<Data>()`, or a schema that checks the
   * published data and whose output is sent. Data arrives as the type that JSON makes of it: a Date is a string. Where
   * one of them has a schema, types that are not listed are refused at run time, too. Without `events` any event may be
   * published.
   */
  readonly events?: Types;
  /** The treatment of a slow client; `{ latest }` gets events of these types. @defaultValue the module's */
  readonly slow?: SlowPolicy<PublishedEvent<EventsOfTypes<Types>>>;
}

const DEFINED_BY = Symbol.for('nestjs-sse-hub:definition');

/** The copy of this package that has made a definition; undefined for what is none. */
export const definedBy = (value: unknown): PackageCopy | undefined =>
  (value as { readonly [DEFINED_BY]?: PackageCopy } | null | undefined)?.[DEFINED_BY];

/**
 * A kind of channel: the names that match its pattern, their events and their options. It applies once
 * `SseModule.forFeature()` lists it; until then the hub refuses its names.
 */
export class ChannelDefinition<
  Pattern extends string = string,
  Events extends EventMap = AnyEvents,
  Inputs extends EventMap = Events,
> {
  readonly #pattern: ChannelPattern;
  /** The schemas that events are checked by; undefined where no event is checked. */
  readonly schemas: EventSchemas | undefined;

  /**
   * Use `defineChannel()`.
   *
   * @param events the types of event, each with its schema if it has one; undefined where any event may be published
   */
  constructor(
    readonly pattern: Pattern,
    readonly options: ChannelOptions,
    readonly events?: EventSchemas,
  ) {
    this.#pattern = new ChannelPattern(pattern);
    this.schemas = checkedBy(events);
  }

  /** The `PackageCopy` that has made it, for other copies of this package. */
  readonly [DEFINED_BY]: object = COPY;

  /**
   * The name of one such channel. Values are percent-encoded, so that each is one segment whatever it contains.
   *
   * @throws SseError `INVALID_CHANNEL` if a parameter is missing or empty, or the name gets too long
   */
  of(...[params]: ChannelParams<Pattern>): ChannelName<Events, Inputs> {
    const name = this.#pattern.fill(params ?? {});
    if (!processWide.listed.has(this)) processWide.unlisted.add(this);
    return name;
  }

  /** Whether a name is one of these channels: a parameter stands for one segment. */
  matches(name: string): boolean {
    return this.#pattern.matches(name);
  }
}

/** A definition, whatever its parameters and events. */
export type ChannelRule = Pick<ChannelDefinition, 'pattern' | 'options' | 'events' | 'schemas' | 'matches'>;

/**
 * Defines a kind of channel.
 *
 * @param pattern segments separated by `/`; one that begins with `:` is a parameter
 * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * const ChatRoom = defineChannel('chat/:room', {
 *   events: { message: type<ChatMessage>() },
 *   replay: 'all',
 * });
 * hub.publish(ChatRoom.of({ room: 'lobby' }), { type: 'message', data: message });
 * ```
 */
export function defineChannel<
  const Pattern extends string,
  Types extends EventTypes = Record<string, EventType<never>>,
>(
  pattern: Pattern,
  options: ChannelDefinitionOptions<Types> = {},
): ChannelDefinition<Pattern, EventsOfTypes<Types>, InputsOfTypes<Types>> {
  checkChannelOptions(options as ChannelOptions);
  const { events, ...rest } = options;
  // The key function is given events of this channel alone.
  return new ChannelDefinition(pattern, rest as ChannelOptions, events && eventSchemas(events));
}
