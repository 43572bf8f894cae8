import { Controller, Get, Header } from '@nestjs/common';
import { Registry } from 'prom-client';

/** What Prometheus reads. An application keeps it from strangers. */
@Controller('metrics')
export class MetricsController {
  constructor(private readonly register: Registry) {}

  @Get()
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  metrics(): Promise<string> {
    return this.register.metrics();
  }
}
