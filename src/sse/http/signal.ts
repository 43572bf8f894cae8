import * as nest from '@nestjs/common';

/*
 * Nest's `@SseSignal()`: a method gets a signal that aborts when its response is over. sse.decorator.ts offers it,
 * sse-connection.ts aborts it.
 */

/** The key by which `@SseSignal()` finds the controller of a request. Nest has it since 11.2; before, an import by name would not link. */
const { SSE_ABORT_CONTROLLER: CONTROLLER } = nest as Partial<typeof nest>;

/** Stands in for a controller, which is made when its signal is asked for: most methods never do. */
class LateController {
  #made: AbortController | undefined;

  get signal(): AbortSignal {
    return (this.#made ??= new AbortController()).signal;
  }

  abort(): void {
    this.#made?.abort();
  }
}

interface Offered {
  [key: symbol]: LateController | AbortController | undefined;
}

/** @param request as the adapter has it */
export function offerSignal(request: object): void {
  if (CONTROLLER) (request as Offered)[CONTROLLER] ??= new LateController();
}

/**
 * Aborts the signal of a request, if somebody has it.
 *
 * @param request as the adapter has it
 */
export function abortSignal(request: object): void {
  if (CONTROLLER) (request as Offered)[CONTROLLER]?.abort();
}
