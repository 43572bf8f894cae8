import * as z from 'zod';
import { defineChannel } from '../sse/index.js';

/** The data of an event that has none. */
const NOTHING = z.never().optional();

/**
 * One channel per answer, completed at its end. It holds all of it, so a page that is loaded anew, or a second one, is given
 * the answer from its beginning. The end is one of `done`, `stopped` and `failed`, whose data is a reason for people.
 */
export const Answer = defineChannel('assistant/answers/:id', {
  events: {
    question: z.string(),
    words: z.string(),
    done: NOTHING,
    stopped: NOTHING,
    failed: z.string(),
  },
  history: { count: 1_000 },
  replay: 'all',
});
