// This package on its own: history is on, and long enough for what a turn of the bench publishes.
import { serveHub } from './hub-app.js';

await serveHub({ history: { count: 10_000, bytes: 16 * 1024 * 1024 } });
