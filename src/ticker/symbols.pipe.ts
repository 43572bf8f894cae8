import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { SYMBOLS, type QuoteSymbol } from './quote.js';

/** Reads `?symbols=A,B` (also given several times): each symbol once, all of them when none is named. */
@Injectable()
export class SymbolsPipe implements PipeTransform<string | string[] | undefined, readonly QuoteSymbol[]> {
  transform(value: string | string[] = []): readonly QuoteSymbol[] {
    const named = [value]
      .flat()
      .flatMap((list) => list.split(','))
      .map((symbol) => symbol.trim().toUpperCase())
      .filter((symbol) => symbol !== '');

    const unknown = named.find((symbol) => !SYMBOLS.includes(symbol as QuoteSymbol));
    if (unknown !== undefined) {
      throw new BadRequestException(`symbols: there is no "${unknown}", only ${SYMBOLS.join(', ')}`);
    }
    return named.length > 0 ? [...new Set(named as QuoteSymbol[])] : SYMBOLS;
  }
}
