import type { ModulesContainer } from '@nestjs/core';
import type { ChannelRule } from '../hub/definitions/channel-definition.js';
import { COPY, refuseOtherVersion, type PackageCopy } from '../package-copy.js';

const DECLARED_BY = Symbol.for('nestjs-sse-hub:feature-channels');

/** What one `SseModule.forFeature()` declares, of whichever copy of this package. */
export class FeatureChannels {
  readonly [DECLARED_BY]: PackageCopy = COPY;

  constructor(readonly definitions: readonly ChannelRule[]) {}
}

/**
 * The definitions of all modules of the application, in the order in which the modules were found.
 *
 * @throws SseError `INVALID_OPTIONS` for those of another version of this package
 */
export function declaredChannels(modules: ModulesContainer): ChannelRule[] {
  const providers = [...modules.values()].flatMap((module) => [...module.providers.values()]);
  return providers.flatMap(({ instance }) => {
    const declared = instance as Partial<FeatureChannels> | null | undefined;
    const copy = declared?.[DECLARED_BY];
    if (!copy) return [];
    refuseOtherVersion('SseModule.forFeature()', copy);
    return declared.definitions ?? [];
  });
}
