// This package on its own: history is on, and long enough for what a turn of the bench publishes.
import { map } from 'rxjs';
import { serveHub } from './hub-app.js';

const channels = Array.from({ length: 10 }, (_, i) => (i === 0 ? 'bench' : `other/${i}`));

/** The ways to use it that are compared, each a function that says what is different. */
const ways = {
  'one channel': () => ({}),
  'ten channels': () => ({ stream: (hub) => hub.stream(channels), channels: channels.length }),
  filter: () => ({ stream: (hub) => hub.stream('bench', { filter: ({ data }) => data.seq >= 0 }) }),
  operator: () => ({ stream: (hub) => hub.stream('bench').pipe(map((event) => event)) }),
  metrics: async () => {
    const { SseMetricsModule } = await import('../../../dist/sse/metrics/index.js');
    return { modules: [SseMetricsModule.forRoot()] };
  },
  compress: () => ({ options: { compress: true } }),
};

const { options, ...way } = await ways[process.argv[3] ?? 'one channel']();
await serveHub({ history: { count: 10_000, bytes: 16 * 1024 * 1024 }, ...options }, way);
