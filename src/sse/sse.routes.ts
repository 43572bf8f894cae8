import { Logger } from '@nestjs/common';
import { MetadataScanner, type ApplicationConfig, type ModulesContainer } from '@nestjs/core';
import type { ServedRoute, SseServer } from './http/sse-server.js';
import type { SseInterceptor } from './http/sse.interceptor.js';
import type { Method } from './wrapped-method.js';

/** The routes of the application that stream events, found at the start. */
export class StreamRoutes {
  constructor(
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
    private readonly server: SseServer,
    private readonly interceptor: SseInterceptor,
  ) {}

  /** Puts the interceptor of this package before those of the application. */
  intercept(): void {
    const { config, server } = this;
    const interceptors = config.getGlobalInterceptors();
    const others = interceptors.filter((interceptor) => interceptor !== this.interceptor);
    const ofRequests = config.getGlobalRequestInterceptors().map(({ metatype }) => metatype as object);
    server.interceptors = [...others, ...ofRequests];
    // First, so that it sends the result of the others. Where no route needs it, no request pays for it.
    const isNeeded = this.all().some((route) => server.intercepts(route));
    if (isNeeded && others.length === interceptors.length) interceptors.unshift(this.interceptor);
  }

  /** Warns of routes that are left to Nest: their channels are streamed without an authoriser being asked. */
  warnOfUnguarded(): void {
    const left = this.all().filter(({ isStock }) => isStock);
    if (left.length === 0) return;
    const names = left.map(({ name }) => name).join(', ');
    new Logger('SseModule').warn(
      `Routes with Nest's own @Sse() are left to Nest, and no method with @AuthorizeChannel() is asked about what they stream: ${names}. Give those that stream channels the @Sse() of this package, or say "stockRoutes: 'serve'".`,
    );
  }

  /** The routes of the controllers of all modules. */
  all(): ServedRoute[] {
    const scanner = new MetadataScanner();
    const wrappers = [...this.modules.values()].flatMap((module) => [...module.controllers.values()]);
    return wrappers.flatMap(({ metatype: controller }) => {
      if (typeof controller !== 'function') return [];
      const prototype = controller.prototype as Record<string, Method>;
      const names = scanner.getAllMethodNames(prototype);
      return names.flatMap((name) => this.server.routeOf(controller, prototype[name] as Method) ?? []);
    });
  }
}
