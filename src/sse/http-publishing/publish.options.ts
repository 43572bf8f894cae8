import type { CanActivate, ControllerOptions, ModuleMetadata, Type } from '@nestjs/common';
import type { ChannelRule } from '../channels/channel-definition.js';
import { checkObject, invalid, listOf, oneOf, stringOf } from '../validate.js';

/** What may be published over HTTP. */
export interface SsePublishRules {
  /**
   * The definitions whose channels may be published to, or `'all'` for every channel that the hub takes.
   * @defaultValue all definitions that `SseModule.forFeature()` lists
   */
  readonly channels?: readonly ChannelRule[] | 'all';
}

/** Where and for whom it is mounted. */
export interface SsePublishRoute {
  /** The path of the route, as in `@Controller()`. */
  readonly path: string;
  /**
   * Guards of the route, as in `@UseGuards()`: at least one. `'none'` opens it to everybody, or leaves it to the guards of the
   * application.
   */
  readonly guards: readonly (CanActivate | Type<CanActivate>)[] | 'none';
  /** Decorators of its controller, for throttling or an API's description, for example. */
  readonly decorators?: readonly ClassDecorator[];
  /** Its version, as in `@Controller()`. @defaultValue that of the application */
  readonly version?: NonNullable<ControllerOptions['version']>;
  /** Modules whose providers the guards need. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

/** Options of `SsePublishModule.forRoot()`. */
export interface SsePublishOptions extends SsePublishRules, SsePublishRoute {}

/** Injection token of the rules. */
export const PUBLISH_RULES = Symbol('SsePublishRules');

const ROUTE = ['path', 'guards', 'decorators', 'version', 'imports'];

/** @throws SseError `INVALID_OPTIONS` */
export function checkRoute(route: SsePublishRoute, others: readonly string[], where: string): void {
  checkObject(route, [...ROUTE, ...others], where);
  stringOf('path', route.path);
  const { guards, decorators = [] } = route;
  if (guards === undefined || guards.length === 0)
    invalid(
      'guards',
      guards,
      'a list of guards, as everybody could publish without; or "none", if that is meant',
    );
  if (typeof guards === 'string') oneOf('guards', guards, ['none']);
  else listOf('guards', guards, 'guards');
  listOf('decorators', decorators, 'decorators', (one) => typeof one === 'function');
}

/** @throws SseError `INVALID_OPTIONS` */
export function checkedRules(rules: SsePublishRules): SsePublishRules {
  checkObject(rules, ['channels'], 'Publishing over HTTP');
  const { channels } = rules;
  if (typeof channels === 'string') oneOf('channels', channels, ['all']);
  else if (channels !== undefined)
    listOf('channels', channels, 'definitions', (one) => typeof one?.matches === 'function');
  return rules;
}
