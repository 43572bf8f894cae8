import {
  Controller,
  Injectable,
  Module,
  Param,
  RequestMethod,
  Scope,
  Sse as NestSse,
  UseGuards,
  VersioningType,
  type CanActivate,
  type INestApplication,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import {
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger';
import type { OpenAPIObject } from '@nestjs/swagger';
import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type as arkType } from 'arktype';
import { NEVER, type Observable } from 'rxjs';
import * as v from 'valibot';
import * as z from 'zod';
import {
  AuthorizeChannel,
  defineChannel,
  Sse,
  SseHub,
  SseModule,
  SseSnapshot,
  type,
  type PresenceEvent,
  type SnapshotOf,
  type SseEvent,
} from '../../../src/sse/index.js';
import { SsePublishModule } from '../../../src/sse/http-publishing/index.js';
import { addSse, ApiSse } from '../../../src/sse/swagger/index.js';
import { startSseApp, type SseApp, type SseAppOptions } from '../../support/sse-app.js';

/** It is made of itself. */
const Comment: z.ZodType<{ text: string }> = z.object({
  text: z.string(),
  get replies() {
    return z.array(Comment);
  },
});

export const Order = defineChannel('orders/:id', {
  events: {
    shipped: z.object({ id: z.string(), weight: z.number().nullable(), by: z.literal('air') }),
    commented: z.object({ comment: Comment }),
    note: z.string(),
    message: z.union([z.string(), z.object({ text: z.string() })]),
    closed: z.never().optional(),
  },
});
export const Stock = defineChannel('stock/:article', {
  events: {
    counted: arkType({ article: 'string', count: 'number|null' }),
    moved: toStandardJsonSchema(v.object({ from: v.string(), to: v.nullable(v.string()) })),
  },
  history: 0,
});
export const Room = defineChannel('rooms/:room', {
  events: { said: type<{ text: string }>(), join: type<PresenceEvent>(), leave: type<PresenceEvent>() },
  presence: { events: true },
});
export const News = defineChannel('news');
export const Unseen = defineChannel('internal/orders', { events: { run: type<string>() } });
export const definitions = [Order, Stock, Room, News, Unseen];

@Injectable()
class NoGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class RoomAccess {
  @AuthorizeChannel(Room)
  mayEnter(): boolean {
    return true;
  }

  @SseSnapshot(Room)
  state(): SnapshotOf<string> {
    return { state: 'quiet' };
  }
}

@Controller('orders')
export class OrdersController {
  constructor(private readonly hub: SseHub) {}

  @Sse(':id/events')
  @ApiSse(Order)
  @ApiOperation({ summary: 'The life of an order' })
  events(@Param('id') id: string): Observable<SseEvent> {
    return this.hub.stream(Order.of({ id }));
  }

  @ApiSse(Stock, Room)
  @ApiNoContentResponse({ description: 'Sold out.' })
  @Sse('stock', { method: RequestMethod.POST })
  @UseGuards(NoGuard)
  stock(): Observable<SseEvent> {
    return this.hub.stream(Stock.of({ article: 'tea' }));
  }

  @Sse('unknown')
  @ApiHeader({ name: 'last-event-id', description: 'Of the shop.' })
  @ApiOkResponse({ description: 'Anything.' })
  unknown(): Observable<unknown> {
    return NEVER;
  }

  @Sse('plain', { plain: true })
  @ApiSse(News)
  plain(): Observable<SseEvent> {
    return this.hub.stream('news');
  }

  @NestSse('stock-route')
  @ApiSse(Order)
  ofNest(): Observable<SseEvent> {
    return this.hub.stream(Order.of({ id: '1' }));
  }
}

abstract class Feed {
  @Sse('feed')
  @ApiSse(News)
  feed(): Observable<unknown> {
    return NEVER;
  }
}

@Controller({ path: 'first', version: ['1', '2'] })
class FirstFeed extends Feed {}

@Controller({ path: 'second', version: '1', scope: Scope.REQUEST })
@UseGuards(NoGuard)
class SecondFeed extends Feed {}

@Module({ controllers: [FirstFeed, SecondFeed] })
export class FeedModule {}

const Feeds = RouterModule.register([{ path: 'feeds', module: FeedModule }]);

/** Others publish to all of it, and to orders without a key. */
const Publishing = [
  SsePublishModule.forRoot({ path: 'publish', guards: [NoGuard] }),
  SsePublishModule.forRoot({ path: 'orders/publish', guards: 'none', channels: [Order] }),
];

/** An application of many kinds of streams. */
export const startSwaggerApp = (options: SseAppOptions = {}): Promise<SseApp> =>
  startSseApp({
    sse: { endpoint: { path: 'all' } },
    ...options,
    controllers: [OrdersController],
    providers: [RoomAccess, NoGuard],
    imports: [SseModule.forFeature(definitions), FeedModule, Feeds, ...Publishing],
    configure: (app) => {
      app.setGlobalPrefix('api', { exclude: ['orders/plain'] });
      app.enableVersioning({ type: VersioningType.URI });
      return options.configure?.(app);
    },
  });

type Options = Parameters<typeof SwaggerModule.createDocument>[2];

/** The application's document, before and after `addSse()`. */
export function documentOf(app: INestApplication, version: string, options?: Options): OpenAPIObject {
  const config = { ...new DocumentBuilder().setTitle('Orders').setVersion('1').build(), openapi: version };
  return addSse(SwaggerModule.createDocument(app, config, options), app);
}
