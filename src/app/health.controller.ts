import { Controller, Get } from '@nestjs/common';

/** For whatever watches the process: 200 as long as it answers at all. */
@Controller('healthz')
export class HealthController {
  @Get()
  check(): { status: 'ok' } {
    return { status: 'ok' };
  }
}
