import type { SseModuleOptions } from '../../src/sse/index.js';

/** The channel that is looked at. */
export const CHANNEL = 'news';

/** Instances that keep all there is in a trial, so that each client can be given all that it missed. */
export const KEEP_ALL = {
  history: { count: 1_000_000, bytes: 256 * 1024 ** 2 },
  retry: 200,
} as const satisfies SseModuleOptions;
