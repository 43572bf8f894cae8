import { Inject, Injectable, Logger } from '@nestjs/common';
import { exhaustMap, ignoreElements, interval, map, merge, share, type Observable } from 'rxjs';
import { SseCluster, SseHub, whileLeading, type SseEvent } from '../sse/index.js';
import { STARTING_PRICES, SYMBOLS, type QuoteSymbol } from './quote.js';
import { randomWalk } from './random-walk.js';
import { Quotes } from './ticker.channels.js';

const INTERVAL = 250;

/** The market. A symbol is quoted only while somebody listens to it, and by one instance at a time. */
@Injectable()
export class QuotesService {
  private readonly logger = new Logger(QuotesService.name);

  /** One timer for all symbols, so that their quotes have the same times. */
  private readonly beat: Observable<string> = interval(INTERVAL).pipe(
    map(() => new Date().toISOString()),
    share(),
  );

  private readonly markets: ReadonlyMap<QuoteSymbol, Observable<never>>;

  constructor(
    private readonly hub: SseHub,
    @Inject(SseCluster) private readonly cluster: SseCluster,
  ) {
    this.markets = new Map(SYMBOLS.map((symbol) => [symbol, this.market(symbol)]));
  }

  /** Streams the quotes of some symbols: several channels in one response. */
  quotes(symbols: readonly QuoteSymbol[]): Observable<SseEvent> {
    const channels = symbols.map((symbol) => Quotes.of({ symbol }));
    const markets = symbols.flatMap((symbol) => this.markets.get(symbol) ?? []);
    return merge(this.hub.stream(channels), ...markets);
  }

  private market(symbol: QuoteSymbol): Observable<never> {
    const nextPrice = randomWalk(STARTING_PRICES[symbol], SYMBOLS.indexOf(symbol));
    const quoting = this.beat.pipe(
      exhaustMap((at) => this.publish(symbol, nextPrice(), at)),
      ignoreElements(),
    );
    return whileLeading(this.cluster, `ticker/quotes/${symbol}`, quoting).pipe(share());
  }

  private async publish(symbol: QuoteSymbol, price: number, at: string): Promise<void> {
    try {
      await this.hub.publish(Quotes.of({ symbol }), { type: 'quote', data: { symbol, price, at } });
    } catch (error) {
      // A failed quote must not end everybody's stream.
      this.logger.error(error);
    }
  }
}
