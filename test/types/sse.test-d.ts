// Compile-time promises: checked by `npm run types`, never run.
import { applyDecorators, UseGuards, type MessageEvent } from '@nestjs/common';
import { NEVER, type Observable } from 'rxjs';
import { Sse, SseHub, type SseEvent } from '../../src/sse/index.js';

const hub = null as unknown as SseHub;

export class StreamsAreReturned {
  @Sse('hub')
  ofHub(): Observable<SseEvent> {
    return hub.stream('news');
  }

  @Sse('later')
  async later(): Promise<Observable<MessageEvent>> {
    return NEVER;
  }

  @Sse('iterated')
  async *iterated(): AsyncGenerator<{ data: string }> {
    yield { data: 'hello' };
  }

  @Sse('iterated/later')
  async iteratedLater(): Promise<AsyncIterable<string>> {
    return this.iterated() as unknown as AsyncIterable<string>;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- nothing is known of it
  @Sse('any') any(): any {
    return NEVER;
  }

  @applyDecorators(Sse('composed'), UseGuards())
  composed(): Observable<string> {
    return NEVER;
  }
}

export class WhatIsNoStreamIsAnError {
  // @ts-expect-error: it is a value
  @Sse('value')
  value(): string {
    return 'hello';
  }

  // @ts-expect-error: a Promise of an array
  @Sse('array')
  async array(): Promise<string[]> {
    return ['hello'];
  }

  // @ts-expect-error: a generator that is not async
  @Sse('generator')
  *generator(): Generator<string> {
    yield 'hello';
  }

  // @ts-expect-error: it is nothing
  @Sse('nothing')
  nothing(): void {
    hub.stream('news');
  }
}
