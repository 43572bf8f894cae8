import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import {
  BadRequestException,
  Body,
  Controller,
  HttpCode,
  HttpStatus,
  Param,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import { ApiBody, ApiOperation } from '@nestjs/swagger';
import { RoomKeys, type KeyCookie } from './room-keys.js';
import { RoomPipe } from './room.pipe.js';
import { textFields } from './text-field.js';

/**
 * Exchanges the password for a key. The password comes in the body, because addresses are written into logs. The
 * key goes back as a cookie, which an EventSource sends by itself and scripts cannot read.
 */
@Controller('chat/rooms/:room/key')
export class RoomKeyController {
  constructor(private readonly keys: RoomKeys) {}

  @Post()
  @ApiOperation({ summary: 'Enter a room with its password' })
  @ApiBody({ schema: textFields('password') })
  @HttpCode(HttpStatus.NO_CONTENT)
  enter(
    @Param('room', RoomPipe) room: string,
    @Body('password') password: unknown,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): void {
    if (typeof password !== 'string') throw new BadRequestException('password must be a string');
    const key = this.keys.give(room, password);
    // Not every adapter of Nest has response.cookie().
    response.setHeader('Set-Cookie', cookieText(key, room, request.socket instanceof TLSSocket));
  }
}

function cookieText({ name, value, maxAge }: KeyCookie, room: string, isSecure: boolean): string {
  const attributes = ['HttpOnly', 'SameSite=Strict', ...(isSecure ? ['Secure'] : [])];
  return [`${name}=${value}`, `Max-Age=${maxAge}`, `Path=/chat/rooms/${room}`, ...attributes].join('; ');
}
