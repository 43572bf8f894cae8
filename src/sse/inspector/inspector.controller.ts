import {
  Body,
  Controller,
  Delete,
  ForbiddenException,
  Get,
  Header,
  Headers,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Query,
  Res,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type Type,
} from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import type { OrderOutcome } from '../cluster/orders.js';
import { Exchange } from '../http/exchange.js';
import { Sse } from '../http/sse.decorator.js';
import type { SseEventInput } from '../log/sse-event.js';
import {
  Inspector,
  type ChannelView,
  type Explanation,
  type FiguresMessage,
  type Page,
} from './inspector.js';
import type { ChannelRow } from './channel-rows.js';
import type { ConnectionRow, ConnectionView } from './connection-rows.js';
import type { InspectorSettings } from './inspector.options.js';
import { PAGE_HEADERS, pageAt, pageFile, type PageFile } from './page-files.js';
import type { Notable } from './recent.js';
import {
  answered,
  bodyOf,
  channelsQuery,
  connectionsQuery,
  explainQuery,
  requiredIn,
  textIn,
  type Query as QueryValues,
} from './requests.js';
import type { TailPart } from './tail.js';

/** A value as one event of a stream of the inspector. */
interface Told<Data> {
  readonly type: string;
  readonly data: Data;
}

/** As `@ApiExcludeController()` of `@nestjs/swagger` does it, which may not be there: these routes are no API for others. */
const EXCLUDED = 'swagger/apiExcludeController';

/** Makes the controller class of the inspector: its page, what the page asks, and what it may do. */
export function inspectorController({ path, guards, readOnly }: InspectorSettings): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...(guards as readonly CanActivate[]))
  class SseInspectorController {
    constructor(@Inject(Inspector) private readonly inspector: Inspector) {}

    // ---- The page

    @Get()
    async page(@Res({ passthrough: true }) response: object): Promise<string> {
      return sent(await pageAt(new Exchange(response).path), response);
    }

    @Get('api/settings')
    settings(): { readonly readOnly: boolean; readonly here: string } {
      return { readOnly, here: this.inspector.parts.cluster.instance };
    }

    // ---- What it shows

    @Sse('api/figures')
    figures(): Observable<Told<FiguresMessage>> {
      return this.inspector.figures().pipe(map((data) => ({ type: 'figures', data })));
    }

    @Sse('api/tail')
    async tail(@Query() query: QueryValues): Promise<Observable<Told<TailPart>>> {
      const channel = requiredIn(query, 'channel');
      const tail = await answered(() => this.inspector.tail(channel, textIn(query, 'text') ?? ''));
      return tail.pipe(map((data) => ({ type: 'events', data })));
    }

    @Get('api/connections')
    @Header('cache-control', 'no-store')
    connections(@Query() query: QueryValues): Promise<Page<ConnectionRow>> {
      return answered(() => this.inspector.connections(connectionsQuery(query), textIn(query, 'instance')));
    }

    @Get('api/connections/:id')
    @Header('cache-control', 'no-store')
    connection(@Param('id') id: string): Promise<ConnectionView & { readonly instance: string }> {
      return answered(() => this.inspector.connection(id));
    }

    @Get('api/channels')
    @Header('cache-control', 'no-store')
    channels(@Query() query: QueryValues): Promise<Page<ChannelRow>> {
      return answered(() => this.inspector.channels(channelsQuery(query), textIn(query, 'instance')));
    }

    /** Names have slashes, so the name is in the query. */
    @Get('api/channel')
    @Header('cache-control', 'no-store')
    channel(@Query() query: QueryValues): Promise<ChannelView> {
      return answered(() => this.inspector.channel(requiredIn(query, 'name')));
    }

    @Get('api/recent')
    @Header('cache-control', 'no-store')
    recent(): Promise<{ readonly items: readonly Notable[]; readonly fault: string | undefined }> {
      return answered(() => this.inspector.notable());
    }

    @Get('api/explain')
    @Header('cache-control', 'no-store')
    explain(@Query() query: QueryValues): Promise<Explanation> {
      return answered(() => this.inspector.explain(explainQuery(query)));
    }

    // ---- What it does

    @Post('api/publish')
    @HttpCode(HttpStatus.CREATED)
    publish(@Headers('content-type') type: string, @Body() body: unknown): Promise<{ readonly id: string }> {
      const given = this.#action(type, body);
      const { data } = given;
      const name = textIn(given, 'type');
      const event = { ...(name !== undefined && { type: name }), ...(data !== undefined && { data }) };
      const { hub } = this.inspector.parts;
      return answered(async () => ({
        id: await hub.publish(requiredIn(given, 'channel'), event as SseEventInput),
      }));
    }

    @Delete('api/connections/:id')
    disconnect(@Param('id') id: string): Promise<OrderOutcome> {
      this.#mayAct();
      return answered(() => this.inspector.parts.hub.disconnect({ id }));
    }

    @Post('api/revoke')
    @HttpCode(HttpStatus.OK)
    revoke(@Headers('content-type') type: string, @Body() body: unknown): Promise<OrderOutcome> {
      const given = this.#action(type, body);
      const [user, channel] = [requiredIn(given, 'user'), requiredIn(given, 'channel')];
      return answered(() => this.inspector.parts.hub.revoke(user, channel));
    }

    @Post('api/complete')
    @HttpCode(HttpStatus.NO_CONTENT)
    async complete(@Headers('content-type') type: string, @Body() body: unknown): Promise<void> {
      const channel = requiredIn(this.#action(type, body), 'channel');
      await answered(() => this.inspector.parts.hub.complete(channel));
    }

    @Post('api/purge')
    @HttpCode(HttpStatus.NO_CONTENT)
    async purge(@Headers('content-type') type: string, @Body() body: unknown): Promise<void> {
      const channel = requiredIn(this.#action(type, body), 'channel');
      await answered(() => this.inspector.parts.hub.purge(channel));
    }

    #action(type: string | undefined, body: unknown): QueryValues {
      this.#mayAct();
      return bodyOf(type, body);
    }

    #mayAct(): void {
      if (readOnly) throw new ForbiddenException('This inspector only shows: it was mounted with readOnly.');
    }

    // Last, as its path would match others.
    @Get(':file')
    async file(@Param('file') name: string, @Res({ passthrough: true }) response: object): Promise<string> {
      return sent(await pageFile(name), response);
    }
  }
  Reflect.defineMetadata(EXCLUDED, [true], SseInspectorController);
  return SseInspectorController;
}

/** Sets the headers of a file, on whichever adapter. */
function sent({ type, text }: PageFile, response: object): string {
  const adapted = response as { header(name: string, value: string): unknown };
  for (const [name, value] of Object.entries(PAGE_HEADERS)) adapted.header(name, value);
  adapted.header('content-type', type);
  return text;
}
