import * as z from 'zod';

/** The made-up symbols, each with its start price. */
export const STARTING_PRICES = { FJORD: 118, HERON: 96, MAPLE: 104, ONYX: 88, TIDAL: 111 } as const;

export type QuoteSymbol = keyof typeof STARTING_PRICES;

export const SYMBOLS = Object.keys(STARTING_PRICES) as readonly QuoteSymbol[];

/** The price of a symbol at a moment. */
export const Quote = z.object({
  symbol: z.enum(SYMBOLS),
  price: z.number(),
  at: z.iso.datetime().describe('All quotes of one moment share it.'),
});

export type Quote = z.output<typeof Quote>;
