// A dashboard: an app whose clients stream fifty tickers and a room from its endpoint.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthorizeChannel, SseHub, SseModule } from '../../../dist/index.js';
import { serveCommands } from '../commands.js';

const SYMBOLS = Array.from({ length: 50 }, (_, i) => `SYM${String(i).padStart(2, '0')}`);
const tickerOf = (symbol) => `acme/tickers/${symbol}`;
const channels = ['acme/room', ...SYMBOLS.map(tickerOf)];

class Everybody {
  mayRead() {
    return true;
  }
}
for (const pattern of [':tenant/tickers/:symbol', ':tenant/room'])
  AuthorizeChannel(pattern)(
    Everybody.prototype,
    'mayRead',
    Object.getOwnPropertyDescriptor(Everybody.prototype, 'mayRead'),
  );

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({
      heartbeat: 0,
      replay: 'all',
      endpoint: { path: '/live' },
      limits: { channelsPerConnection: 100 },
    }),
  ],
  providers: [Everybody],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(0, '127.0.0.1');
const hub = app.get(SseHub);

serveCommands({
  url: async () => `${await app.getUrl()}/live`,
  channels: () => channels,
  /** Publishes a price of each ticker, so many times. @returns the number of events, and the bytes of their data */
  async publish({ rounds }) {
    let bytes = 0;
    for (let round = 0; round < rounds; round++) {
      const at = 1_780_000_000_000 + round * 1_000;
      const ticks = SYMBOLS.map((symbol, i) => ({
        symbol,
        price: ((i * 37 + round * 11) % 9_973) / 100,
        at,
      }));
      bytes += ticks.reduce((sum, tick) => sum + Buffer.byteLength(JSON.stringify(tick)), 0);
      await Promise.all(ticks.map((data) => hub.publish(tickerOf(data.symbol), { type: 'price', data })));
    }
    return { events: rounds * SYMBOLS.length, bytes };
  },
});
