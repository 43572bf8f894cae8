import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { AuthorizeChannel, type ChannelAccess } from '../sse/index.js';
import { ChatPeople, ChatRoom } from './chat.channels.js';
import { RoomKeys } from './room-keys.js';

interface RoomRequest {
  readonly headers: { readonly cookie?: string };
  readonly params: { readonly room: string };
}

/** Decides who may enter a room: as a guard of requests, and as the authorizer of its channels. */
@Injectable()
export class RoomAccess implements CanActivate {
  constructor(private readonly keys: RoomKeys) {}

  canActivate(context: ExecutionContext): boolean {
    const { params, headers } = context.switchToHttp().getRequest<RoomRequest>();
    if (this.keys.isOpen(params.room, headers.cookie)) return true;
    throw new ForbiddenException(`the room ${params.room} is behind a password`);
  }

  @AuthorizeChannel(ChatRoom)
  @AuthorizeChannel(ChatPeople)
  mayListen({ params, request }: ChannelAccess<{ room: string }, RoomRequest>): boolean {
    return this.keys.isOpen(params.room, request.headers.cookie);
  }
}
