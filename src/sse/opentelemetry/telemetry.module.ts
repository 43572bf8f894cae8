import { Module, type DynamicModule } from '@nestjs/common';
import { SseTelemetry } from './sse-telemetry.js';
import { checkOptions, ConfigurableModuleClass, type OPTIONS_TYPE } from './telemetry.module-definition.js';

/**
 * Traces and metrics of what the hub of the application does. Import it once, beside `SseModule.forRoot()`. It uses the
 * API of OpenTelemetry; the application brings the SDK.
 */
@Module({ providers: [SseTelemetry] })
export class SseTelemetryModule extends ConfigurableModuleClass {
  /** @throws SseError `INVALID_OPTIONS` */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    checkOptions(options); // a wrong option is reported with the stack of this call
    return super.forRoot(options);
  }
}
