import * as nest from '@nestjs/common';

/** Where `@SseSignal()` looks for the controller of a request. Nest has it since 11.2; an import by name would not link before. */
const { SSE_ABORT_CONTROLLER: CONTROLLER } = nest as Partial<typeof nest>;

/** Makes the controller of a request when it is first asked for: most methods never do. */
const MADE_WHEN_READ = {
  configurable: true,
  get(this: object): AbortController {
    const value = new AbortController();
    Object.defineProperty(this, CONTROLLER as symbol, { value, configurable: true });
    return value;
  },
};

/** @param request as the adapter has it */
export function offerSignal(request: object): void {
  if (CONTROLLER && !Object.hasOwn(request, CONTROLLER))
    Object.defineProperty(request, CONTROLLER, MADE_WHEN_READ);
}

/**
 * Aborts the signal of a request, if somebody has it.
 *
 * @param request as the adapter has it
 */
export function abortSignal(request: object): void {
  const offered = CONTROLLER && Object.getOwnPropertyDescriptor(request, CONTROLLER);
  (offered?.value as AbortController | undefined)?.abort();
}
