import * as nest from '@nestjs/common';

/** Nest has these since 11.2. With an older one an import by name would not link. */
export const { SSE_ABORT_CONTROLLER, SseSignal } = nest as Partial<typeof nest>;
