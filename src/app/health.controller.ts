import { Controller, Get } from '@nestjs/common';

/** A liveness probe: answers 200 as long as the process answers at all. */
@Controller('healthz')
export class HealthController {
  @Get()
  check(): { status: 'ok' } {
    return { status: 'ok' };
  }
}
