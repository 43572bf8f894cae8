import { Controller, Query, type MessageEvent } from '@nestjs/common';
import { ApiOperation, ApiQuery } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { ApiSse } from '../sse/swagger/index.js';
import { ClockService } from './clock.service.js';
import { CounterService } from './counter.service.js';
import type { QuoteSymbol } from './quote.js';
import { QuotesService } from './quotes.service.js';
import { SymbolsPipe } from './symbols.pipe.js';
import { Counter, Quotes } from './ticker.channels.js';

@Controller('ticker')
export class TickerController {
  constructor(
    private readonly clock: ClockService,
    private readonly counter: CounterService,
    private readonly market: QuotesService,
  ) {}

  @Sse('time')
  @ApiSse()
  @ApiOperation({ summary: 'The time, every second' })
  time(): Observable<MessageEvent> {
    return this.clock.time;
  }

  @Sse('events')
  @ApiSse(Counter)
  @ApiOperation({ summary: 'A counter' })
  events(): Observable<SseEvent> {
    return this.counter.events();
  }

  @Sse('quotes')
  @ApiSse(Quotes)
  @ApiOperation({ summary: 'The prices of some symbols, or of all' })
  @ApiQuery({ name: 'symbols', required: false, schema: { type: 'string' }, example: 'FJORD,TIDAL' })
  quotes(@Query('symbols', SymbolsPipe) symbols: readonly QuoteSymbol[]): Observable<SseEvent> {
    return this.market.quotes(symbols);
  }
}
