import { timingSafeEqual, createHash } from 'node:crypto';
import {
  Injectable,
  Module,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { SseInspectorModule } from '../sse/inspector/index.js';
import { readConfig } from './app.config.js';

const LOOPBACK: ReadonlySet<string | undefined> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);
/** Other names may lead here, too: a page of an attacker could have one that does. */
const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1', '[::1]']);
/** A proxy on this machine speaks for others. */
const OF_PROXIES = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** Lets in who sits at this machine, and others with the password `INSPECTOR_PASSWORD`. */
@Injectable()
class InspectorGuard implements CanActivate {
  readonly #password = readConfig(process.env).inspectorPassword;

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (this.#password === undefined) return isLocal(request);
    if (isSame(passwordOf(request), this.#password)) return true;
    http.getResponse<Response>().setHeader('www-authenticate', 'Basic realm="inspector", charset="UTF-8"');
    throw new UnauthorizedException();
  }
}

function isLocal({ socket, hostname, headers }: Request): boolean {
  const isDirect = OF_PROXIES.every((name) => headers[name] === undefined);
  return isDirect && LOOPBACK.has(socket.remoteAddress) && LOCAL_NAMES.has(hostname);
}

/** The password of HTTP's basic authentication; any user name will do. */
function passwordOf({ headers }: Request): string {
  const [, encoded = ''] = /^Basic (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}

/** Takes as long for any text, so that the time tells nothing. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The inspector at `/inspector`. */
@Module({ imports: [SseInspectorModule.forRoot({ path: 'inspector', guards: [InspectorGuard] })] })
export class InspectorModule {}
