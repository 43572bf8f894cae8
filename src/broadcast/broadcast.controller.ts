import { Body, Controller, Get, HttpCode, HttpStatus, Post, UseFilters } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { BroadcastEventPipe } from './broadcast-event.pipe.js';
import type { BroadcastClient, BroadcastEvent } from './broadcast-event.js';
import { BroadcastService } from './broadcast.service.js';
import { SseErrorFilter } from './sse-error.filter.js';

@Controller('broadcast')
export class BroadcastController {
  constructor(private readonly broadcast: BroadcastService) {}

  @Sse('events')
  events(): Observable<SseEvent> {
    return this.broadcast.events();
  }

  @Post('events')
  @HttpCode(HttpStatus.ACCEPTED)
  @UseFilters(SseErrorFilter)
  async send(@Body(BroadcastEventPipe) event: BroadcastEvent): Promise<{ clients: number }> {
    return { clients: await this.broadcast.send(event) };
  }

  @Get('clients')
  async clients(): Promise<{ count: number; clients: BroadcastClient[] }> {
    const clients = await this.broadcast.clients();
    return { count: clients.length, clients };
  }
}
