import { channelNameFault, placeholderFault } from '../protocol/channel-name.js';
import { invalidChannel, SseError } from '../sse.errors.js';
import { channelSettings, type ChannelSettings, type SseSettings } from '../sse.settings.js';
import { processWide, refuseOtherVersion } from '../package-copy.js';
import { definedBy, type ChannelRule } from './channel-definition.js';
import { shapeOf } from './channel-pattern.js';
import type { EventSchemas } from './event-schemas.js';

/** Names whose settings are remembered; looking one up again costs a walk over the definitions. */
const REMEMBERED = 10_000;

/** Settings and schemas that are in force for a channel. */
export interface ChannelRules {
  /** The pattern of the definition; undefined where none matches. */
  readonly definition: string | undefined;
  readonly settings: ChannelSettings;
  /** Undefined where no event is checked. */
  readonly schemas: EventSchemas | undefined;
}

/** Finds the rules of a channel: those of the first definition that matches its name, else the module's settings. */
export class ChannelDefinitions {
  /** In the order in which they were added. */
  readonly #definitions = new Map<ChannelRule, ChannelRules>();
  readonly #known = new Map<string, ChannelRules>();
  /** The size of `processWide.unlisted` when names were last looked up. */
  #unlisted = 0;
  /** The rules of channels that no definition matches. */
  readonly #unmatched: ChannelRules;

  /** @throws SseError `DUPLICATE_DEFINITION` */
  constructor(
    private readonly module: SseSettings,
    definitions: Iterable<ChannelRule>,
  ) {
    this.#unmatched = { definition: undefined, settings: module.channel, schemas: undefined };
    this.add(definitions);
  }

  /**
   * Adds definitions after those that are there; one that is there already is left in its place.
   *
   * @throws SseError `DUPLICATE_DEFINITION`
   */
  add(definitions: Iterable<ChannelRule>): void {
    for (const definition of definitions) {
      const { pattern } = definition;
      const copy = definedBy(definition);
      if (copy) refuseOtherVersion(`The definition of "${pattern}"`, copy);
      if (this.#definitions.has(definition)) continue;
      const same = [...this.#definitions.keys()].find((other) => shapeOf(other.pattern) === shapeOf(pattern));
      if (same) {
        throw new SseError(
          'DUPLICATE_DEFINITION',
          `Two definitions match the same channels: "${same.pattern}" and "${pattern}". Export one and use it in both places.`,
        );
      }
      const { options, schemas } = definition;
      const settings = channelSettings(options, this.module.channel);
      this.#definitions.set(definition, { definition: pattern, settings, schemas });
      processWide.listed.add(definition);
      processWide.unlisted.delete(definition);
    }
    this.#known.clear();
  }

  /** All definitions, in the order in which they were added. */
  get all(): ReadonlyMap<ChannelRule, ChannelRules> {
    return this.#definitions;
  }

  /** The definition in force for a channel: the first that matches its name. */
  inForce(name: string): ChannelRule | undefined {
    return [...this.#definitions.keys()].find((definition) => definition.matches(name));
  }

  has(definition: object): boolean {
    return this.#definitions.has(definition as ChannelRule);
  }

  /**
   * @throws SseError `INVALID_CHANNEL`; `UNKNOWN_CHANNEL` where only defined channels are allowed, or for a name of a
   * definition that is not listed
   */
  rulesOf(name: string): ChannelRules {
    // A definition may make the name of a channel that was used before by a plain string.
    if (this.#unlisted !== processWide.unlisted.size) this.#known.clear();
    this.#unlisted = processWide.unlisted.size;
    return this.#known.get(name) ?? this.#find(name);
  }

  /** The pattern of the definition of a channel; undefined where none matches, and for a name that is refused. */
  patternOf(name: string): string | undefined {
    try {
      return this.rulesOf(name).definition;
    } catch {
      return undefined;
    }
  }

  /** @throws SseError as {@link rulesOf} */
  settingsOf(name: string): ChannelSettings {
    return this.rulesOf(name).settings;
  }

  #find(name: string): ChannelRules {
    const fault = channelNameFault(name) ?? placeholderFault(name);
    if (fault) throw invalidChannel('name', name, fault);
    const definition = this.inForce(name);
    const match = definition && this.#definitions.get(definition);
    const refusal = match ? undefined : this.#refusalOf(name);
    if (refusal) throw new SseError('UNKNOWN_CHANNEL', `The channel "${name}" ${refusal}.`);
    const rules = match ?? this.#unmatched;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(name, rules);
    return rules;
  }

  /** Why a name that no definition matches is refused; undefined if it may be used. */
  #refusalOf(name: string): string | undefined {
    if (this.module.strictChannels)
      return 'matches no definition, and strictChannels is on. Define it with defineChannel() and list it in SseModule.forFeature()';
    // A definition that made the name and that no module lists would be without effect.
    const unlisted = [...processWide.unlisted].find((definition) => definition.matches(name));
    if (!unlisted) return undefined;
    return `belongs to the definition "${unlisted.pattern}", which is not in force. List it in SseModule.forFeature([…])`;
  }
}
