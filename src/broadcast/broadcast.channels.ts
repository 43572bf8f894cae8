import { defineChannel } from '../sse/index.js';

/**
 * Everybody's channel. It keeps no history: who is not there misses it, and an event has an id only if its
 * sender gave it one.
 */
export const Broadcast = defineChannel('broadcast', { history: 0 });
