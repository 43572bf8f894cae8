import { createHash, timingSafeEqual } from 'node:crypto';
import {
  Injectable,
  NotFoundException,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request } from 'express';
import { readConfig } from './app.config.js';

/** Lets other services publish that have the key. Without a key nobody can, and nothing seems to be there. */
@Injectable()
export class PublishKeyGuard implements CanActivate {
  private readonly key = readConfig(process.env).publishKey;

  canActivate(context: ExecutionContext): boolean {
    if (this.key === undefined) throw new NotFoundException();
    const { authorization = '' } = context.switchToHttp().getRequest<Request>().headers;
    // Of hashes, as both have to be of one length, and no time tells how much of the key was right.
    if (timingSafeEqual(hash(authorization), hash(`Bearer ${this.key}`))) return true;
    throw new UnauthorizedException();
  }
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
