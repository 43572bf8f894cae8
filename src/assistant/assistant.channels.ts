import { defineChannel, type } from '../sse/index.js';

/**
 * One channel per answer, completed at its end. It holds all of it, so a page that is loaded anew, or a second one, is given
 * the answer from its beginning. The end is one of `done`, `stopped` and `failed`, whose data is a reason for people.
 */
export const Answer = defineChannel('assistant/answers/:id', {
  events: {
    question: type<string>(),
    words: type<string>(),
    done: type<undefined>(),
    stopped: type<undefined>(),
    failed: type<string>(),
  },
  history: { count: 1_000 },
  replay: 'all',
});
