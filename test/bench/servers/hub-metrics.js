// This package with metrics for Prometheus: as hub.js beside that.
import { SseMetricsModule } from '../../../dist/sse/metrics/index.js';
import { serveHub } from './hub-app.js';

await serveHub({ history: { count: 10_000, bytes: 16 * 1024 * 1024 } }, [SseMetricsModule.forRoot()]);
