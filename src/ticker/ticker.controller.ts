import { Controller, Query, type MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { ClockService } from './clock.service.js';
import { CounterService } from './counter.service.js';
import type { QuoteSymbol } from './quote.js';
import { QuotesService } from './quotes.service.js';
import { SymbolsPipe } from './symbols.pipe.js';

@Controller('ticker')
export class TickerController {
  constructor(
    private readonly clock: ClockService,
    private readonly counter: CounterService,
    private readonly market: QuotesService,
  ) {}

  @Sse('time')
  time(): Observable<MessageEvent> {
    return this.clock.time;
  }

  @Sse('events')
  events(): Observable<SseEvent> {
    return this.counter.events();
  }

  @Sse('quotes')
  quotes(@Query('symbols', SymbolsPipe) symbols: readonly QuoteSymbol[]): Observable<SseEvent> {
    return this.market.quotes(symbols);
  }
}
