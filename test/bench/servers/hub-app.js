import { Inject } from '@nestjs/common';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { nestApp } from './nest-app.js';
import { serve } from './serve.js';

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events() {
    return this.hub.stream('bench');
  }
}
Inject(SseHub)(Streams, undefined, 0);

/** This package, as an app uses it, with other modules beside it. */
export async function serveHub(options, modules = []) {
  const app = await nestApp(Streams, Sse, [SseModule.forRoot(options), ...modules]);
  const hub = app.get(SseHub);
  serve({
    server: app.getHttpServer(),
    // A refusal is a rejection that nobody handles, which ends this process, and with it the run.
    publish: (data) => void hub.publish('bench', { data }),
    subscribers: () => hub.stats().subscribers,
  });
}
