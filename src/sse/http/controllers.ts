import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import type { Method } from '../wrapped-method.js';

/** A controller of the application, with its methods. */
export interface FoundController {
  readonly controller: object;
  readonly methods: readonly Method[];
}

/** The controllers of all modules of the application. */
export function foundControllers(modules: ModulesContainer): FoundController[] {
  const scanner = new MetadataScanner();
  const wrappers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  return wrappers.flatMap(({ metatype }) => {
    if (typeof metatype !== 'function') return [];
    const prototype = metatype.prototype as Record<string, Method>;
    const methods = scanner.getAllMethodNames(prototype).map((name) => prototype[name] as Method);
    return { controller: metatype, methods };
  });
}
