import { Body, Controller, HttpCode, HttpStatus, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import { ApiBody, ApiOperation } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { ApiSse } from '../sse/swagger/index.js';
import { Inbox, type Notification } from './notifications.channels.js';
import { NotificationsService } from './notifications.service.js';
import { TextPipe } from './text.pipe.js';
import { UserPipe } from './user.pipe.js';

/** The demo has no accounts: a name is a user, whose inbox is open to all. A real guard would look at a session. */
@Controller('notifications/:user')
export class NotificationsController {
  constructor(private readonly notifications: NotificationsService) {}

  @Sse('events')
  @ApiSse(Inbox)
  @ApiOperation({ summary: 'The inbox of a user' })
  events(@Param('user', UserPipe) user: string): Observable<SseEvent> {
    return this.notifications.stream(user);
  }

  @Post()
  @ApiOperation({ summary: 'Notify a user' })
  @ApiBody({ schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } })
  notify(
    @Param('user', UserPipe) user: string,
    @Body('text', new TextPipe('text', 200)) text: string,
  ): Promise<Notification> {
    return this.notifications.notify(user, text);
  }

  /** Marks one notification as read, or without an `id` all. */
  @Post('read')
  @ApiOperation({ summary: 'Mark one notification as read, or all' })
  @ApiBody({ schema: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } })
  @HttpCode(HttpStatus.NO_CONTENT)
  async markRead(
    @Param('user', UserPipe) user: string,
    @Body('id', new ParseUUIDPipe({ optional: true })) id?: string,
  ): Promise<void> {
    await this.notifications.markRead(user, id);
  }
}
