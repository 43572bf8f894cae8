import { defineChannel, type } from '../sse/index.js';
import type { Count } from './count.js';
import type { Quote } from './quote.js';

/** The counter. Only its last event is worth having, and a new client gets it at once. */
export const Counter = defineChannel('ticker/events', {
  events: { message: type<Count>() },
  history: { count: 1 },
  replay: 1,
});

/** One channel per symbol. Half a minute of history, so that a new client's chart does not start empty. */
export const Quotes = defineChannel('quotes/:symbol', {
  events: { quote: type<Quote>() },
  history: { count: 120, age: 30_000 },
  replay: 120,
  // An old price is of no use to who comes late.
  slow: { latest: ({ data }) => data.symbol },
});
