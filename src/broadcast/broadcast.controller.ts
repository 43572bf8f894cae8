import { Body, Controller, Get, HttpCode, HttpStatus, Post, UseFilters } from '@nestjs/common';
import { ApiBody, ApiOperation } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { ApiSse } from '../sse/swagger/index.js';
import { BroadcastEventPipe } from './broadcast-event.pipe.js';
import { BROADCAST_EVENT, type BroadcastClient, type BroadcastEvent } from './broadcast-event.js';
import { Broadcast } from './broadcast.channels.js';
import { BroadcastService } from './broadcast.service.js';
import { SseErrorFilter } from './sse-error.filter.js';

@Controller('broadcast')
export class BroadcastController {
  constructor(private readonly broadcast: BroadcastService) {}

  @Sse('events')
  @ApiSse(Broadcast)
  @ApiOperation({ summary: 'What is sent to everybody' })
  events(): Observable<SseEvent> {
    return this.broadcast.events();
  }

  @Post('events')
  @ApiOperation({ summary: 'Send an event to everybody' })
  @ApiBody({ schema: BROADCAST_EVENT })
  @HttpCode(HttpStatus.ACCEPTED)
  @UseFilters(SseErrorFilter)
  async send(@Body(BroadcastEventPipe) event: BroadcastEvent): Promise<{ clients: number }> {
    return { clients: await this.broadcast.send(event) };
  }

  @Get('clients')
  @ApiOperation({ summary: 'Who is listening' })
  async clients(): Promise<{ count: number; clients: BroadcastClient[] }> {
    const clients = await this.broadcast.clients();
    return { count: clients.length, clients };
  }
}
