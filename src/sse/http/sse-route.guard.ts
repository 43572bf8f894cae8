import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { SseServer } from './sse-server.js';

/**
 * Notes which application's server a response is for. It guards nothing: a guard is the one thing that a decorator can
 * add to a route which Nest makes for each application, runs before all interceptors, and hands the response.
 */
@Injectable()
export class SseRouteGuard implements CanActivate {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  canActivate(context: ExecutionContext): boolean {
    // Without one the method says what is missing; guards of the application come first.
    SseServer.of(this.modules)?.note(context);
    return true;
  }
}
