import { defineChannel } from '../sse/index.js';
import { Count } from './count.js';
import { Quote } from './quote.js';

/** The counter. It keeps only its last event, which a new client gets at once. */
export const Counter = defineChannel('ticker/events', {
  events: { message: Count },
  history: { count: 1 },
  replay: 1,
});

/** One channel per symbol. Half a minute of history, so that a new client's chart does not start empty. */
export const Quotes = defineChannel('quotes/:symbol', {
  events: { quote: Quote },
  history: { count: 120, age: 30_000 },
  replay: 120,
  // A late client needs the newest price of each symbol only.
  slow: { latest: ({ data }) => data.symbol },
});
