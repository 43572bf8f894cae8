// A chat on the built package whose model talks on for a while: to be killed. `node model-server.js <folder> <port>`
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Body, Controller, Inject, Module, Param, RequestMethod } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Sse, SseModule } from '../../dist/index.js';
import { aiSdk, aiSdkRun, ModelRuns, ModelRunsModule } from '../../dist/sse/ai/index.js';
import { lmdbBackplane } from '../../dist/sse/backplanes/lmdb/index.js';

const [, , path, port] = process.argv;

async function* answer(signal) {
  yield { type: 'start' };
  yield { type: 'text-start', id: 't' };
  for (let n = 0; n < 1_000; n++) {
    yield { type: 'text-delta', id: 't', delta: `${n} ` };
    await delay(20, undefined, { signal });
  }
}

class Chat {
  constructor(runs) {
    this.runs = runs;
  }

  chat(body) {
    return this.runs.start(aiSdkRun(body), answer);
  }

  resume(id) {
    return this.runs.resume(id);
  }
}
Inject(ModelRuns)(Chat, undefined, 0);

function route(name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(Chat.prototype, name);
  for (const decorate of decorators) decorate(Chat.prototype, name, descriptor);
  Object.defineProperty(Chat.prototype, name, descriptor);
}
Body()(Chat.prototype, 'chat', 0);
Param('id')(Chat.prototype, 'resume', 0);
route('chat', Sse('', { method: RequestMethod.POST, plain: aiSdk.plain }));
route('resume', Sse(':id/stream', { plain: aiSdk.plain }));
Controller('chat')(Chat);

class AppModule {}
const backplane = lmdbBackplane({ path });
Module({ imports: [SseModule.forRoot({ backplane }), ModelRunsModule], controllers: [Chat] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'], cors: true });
await app.listen(Number(port), '127.0.0.1');
console.log(await app.getUrl());
