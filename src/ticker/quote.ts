/** The made-up symbols there are quotes of, and the price each starts at. */
export const STARTING_PRICES = { FJORD: 118, HERON: 96, MAPLE: 104, ONYX: 88, TIDAL: 111 } as const;

export type QuoteSymbol = keyof typeof STARTING_PRICES;

export const SYMBOLS = Object.keys(STARTING_PRICES) as readonly QuoteSymbol[];

/** The price of a symbol at a moment. */
export interface Quote {
  readonly symbol: QuoteSymbol;
  readonly price: number;
  /** ISO 8601; all the quotes of one moment have the same. */
  readonly at: string;
}
