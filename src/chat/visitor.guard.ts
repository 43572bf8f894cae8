import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Identity } from '../sse/index.js';
import { LONGEST_NAME, textField } from './text-field.js';

/** A request of somebody who may have said who they are. */
export interface VisitorRequest {
  visitor?: Identity;
}

/**
 * Leaves on the request who comes with `?name=`, for `identify`. There are no accounts here: a name is a person,
 * as it is in a message. A guard of yours would look at a session or a token.
 */
@Injectable()
export class VisitorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<VisitorRequest & { query: object }>();
    if ('name' in request.query) request.visitor = { user: textField(request.query, 'name', LONGEST_NAME) };
    return true;
  }
}
