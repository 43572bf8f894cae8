import { Inject } from '@nestjs/common';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { nestApp } from './nest-app.js';
import { serve } from './serve.js';

/**
 * This package, as an app uses it.
 *
 * @param {import('../../../dist/index.js').SseModuleOptions} options
 * @param {object} [way] how it is used
 * @param {(hub: SseHub) => import('rxjs').Observable<unknown>} [way.stream] what a client gets
 * @param {number} [way.channels] how many a stream has
 * @param {readonly object[]} [way.modules] others beside it
 */
export async function serveHub(
  options,
  { stream = (hub) => hub.stream('bench'), channels = 1, modules = [] } = {},
) {
  class Streams {
    constructor(hub) {
      this.hub = hub;
    }

    events() {
      return stream(this.hub);
    }
  }
  Inject(SseHub)(Streams, undefined, 0);
  const app = await nestApp(Streams, Sse, [SseModule.forRoot(options), ...modules]);
  const hub = app.get(SseHub);
  serve({
    server: app.getHttpServer(),
    // A refusal is a rejection that nobody handles, which ends this process, and with it the run.
    publish: (data) => void hub.publish('bench', { data }),
    subscribers: () => Math.floor(hub.stats().subscribers / channels),
  });
}
