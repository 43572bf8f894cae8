/*
 * Adds the matchers to the type of `expect()`: that of @jest/globals, of Vitest, and of @types/jest. None of them has to be
 * installed. Compilers pass over a declaration for a package that is missing because of the comment before it, here and in
 * the declaration file.
 */
/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/no-empty-object-type, @typescript-eslint/no-explicit-any,
   @typescript-eslint/no-namespace, @typescript-eslint/no-unused-vars -- merged with interfaces of others, whose parameters have
   to be named alike */
import type { StreamMatchers } from './matchers.js';

/** @ts-ignore */
declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends StreamMatchers {}
}

/** @ts-ignore */
declare module 'vitest' {
  interface Matchers<T = any> extends StreamMatchers {}
}

declare global {
  namespace jest {
    interface Matchers<R, T = {}> extends StreamMatchers {}
  }
}
