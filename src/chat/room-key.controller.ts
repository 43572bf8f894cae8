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
import type { Request, Response } from 'express';
import { RoomKeys } from './room-keys.js';
import { RoomPipe } from './room.pipe.js';

/**
 * The password comes in a body, as addresses are written into logs. What it opens goes back as a cookie: an
 * EventSource sends that by itself, and scripts do not see it.
 */
@Controller('chat/rooms/:room/key')
export class RoomKeyController {
  constructor(private readonly keys: RoomKeys) {}

  @Post()
  @HttpCode(HttpStatus.NO_CONTENT)
  enter(
    @Param('room', RoomPipe) room: string,
    @Body('password') password: unknown,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): void {
    if (typeof password !== 'string') throw new BadRequestException('password must be a string');
    const { name, value, maxAge } = this.keys.give(room, password);
    response.cookie(name, value, {
      httpOnly: true,
      maxAge,
      path: `/chat/rooms/${room}`,
      sameSite: 'strict',
      secure: request.secure,
    });
  }
}
