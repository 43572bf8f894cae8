import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Identity } from '../sse/index.js';
import { LONGEST_NAME, textField } from './text-field.js';

/** A request whose sender may have given a name. */
export interface VisitorRequest {
  visitor?: Identity;
}

/**
 * Stores the visitor of `?name=` on the request, where `identify` finds it. The demo has no accounts: a name is a
 * person. A real guard would look at a session or a token.
 */
@Injectable()
export class VisitorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<VisitorRequest & { query: object }>();
    if ('name' in request.query) request.visitor = { user: textField(request.query, 'name', LONGEST_NAME) };
    return true;
  }
}
