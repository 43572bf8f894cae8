// Nest's own @Sse(), with one Subject that all streams share, as its documentation has it.
import { Sse } from '@nestjs/common';
import { defer, Subject } from 'rxjs';
import { nestApp } from './nest-app.js';
import { serve } from './serve.js';

const messages = new Subject();
let subscribers = 0;

class Streams {
  events() {
    return defer(() => {
      subscribers++;
      return messages;
    });
  }
}

const app = await nestApp(Streams, Sse);
serve({
  server: app.getHttpServer(),
  publish: (data) => messages.next({ data }),
  subscribers: () => subscribers,
});
