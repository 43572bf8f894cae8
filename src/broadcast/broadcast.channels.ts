import { defineChannel } from '../sse/index.js';

/**
 * The channel of everybody. It keeps no history: a client that is away misses its events, and an event has an id
 * only if its sender gave one.
 */
export const Broadcast = defineChannel('broadcast', { history: 0 });
