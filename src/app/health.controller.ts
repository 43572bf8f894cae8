import { Controller, Get } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { ApiOperation } from '@nestjs/swagger';
import { SseHealthIndicator } from '../sse/health/index.js';

/** The probes of a balancer and of an orchestrator: 200, or 503 with the reasons. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly sse: SseHealthIndicator,
  ) {}

  @ApiOperation({ summary: 'Whether the process should go on' })
  @Get('live')
  live(): Promise<HealthCheckResult> {
    return this.checks.check([() => this.sse.live()]);
  }

  @ApiOperation({ summary: 'Whether the process should get new clients' })
  @Get('ready')
  ready(): Promise<HealthCheckResult> {
    return this.checks.check([() => this.sse.ready()]);
  }
}
