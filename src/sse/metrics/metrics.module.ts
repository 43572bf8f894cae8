import { Module, type DynamicModule } from '@nestjs/common';
import { checkOptions, ConfigurableModuleClass, type OPTIONS_TYPE } from './metrics.module-definition.js';
import { SseMetrics } from './sse-metrics.js';

/**
 * Counts and times what the hub of the application does, in a register of prom-client. Import it once, beside
 * `SseModule.forRoot()`. The application serves the register; see the guide.
 */
@Module({ providers: [SseMetrics] })
export class SseMetricsModule extends ConfigurableModuleClass {
  /** @throws SseError `INVALID_OPTIONS` */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    checkOptions(options); // a wrong option is reported with the stack of this call
    return super.forRoot(options);
  }
}
