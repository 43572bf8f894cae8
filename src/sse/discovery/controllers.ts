import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import type { FoundController } from '../delivery/sse-server.js';
import type { Method } from '../delivery/wrapped-method.js';

/** The controllers of all modules of the application, with their methods. */
export function foundControllers(modules: ModulesContainer): FoundController[] {
  const scanner = new MetadataScanner();
  const wrappers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  return wrappers.flatMap((wrapper) => {
    const { metatype } = wrapper;
    if (typeof metatype !== 'function') return [];
    const prototype = metatype.prototype as Record<string, Method>;
    return {
      controller: metatype,
      instance: wrapper.isDependencyTreeStatic() ? wrapper.instance : undefined,
      methods: scanner.getAllMethodNames(prototype).map((name) => prototype[name] as Method),
    };
  });
}
