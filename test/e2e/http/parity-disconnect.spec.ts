import { Controller, SseSignal } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { concat, defer, EMPTY, NEVER, Observable, of, throwError, timer } from 'rxjs';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { once } from 'node:events';
import { Wire } from './wire.js';
import { flavours, flavoursOnEachAdapter, openStream, startFlavour } from './flavours.js';
import type { Flavour } from './flavours.js';

const partings = [
  ['FIN', (client: TestStream) => client.drop('fin')],
  ['RST', (client: TestStream) => client.drop()],
] as const;

/** An Observable that says when it is no longer wanted. */
function watched(first: Observable<unknown> = NEVER): {
  source: Observable<unknown>;
  released: Promise<void>;
} {
  let release: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const source = defer(
    () =>
      new Observable((subscriber) => {
        const subscription = first.subscribe(subscriber);
        return () => {
          subscription.unsubscribe();
          release();
        };
      }),
  );
  return { source, released };
}

/** Starts an app whose method is given the signal; says when that is aborted. */
async function startWithSignal(
  flavour: Flavour,
  method: (signal: AbortSignal) => unknown,
): Promise<{ url: string; aborted: Promise<void> }> {
  let abort: () => void;
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  @Controller()
  class SignalController {
    @flavour.Sse('events')
    events(@SseSignal() signal: AbortSignal): unknown {
      signal.addEventListener('abort', abort);
      return method(signal);
    }
  }
  const { url } = await startFlavour(flavour, { controllers: [SignalController] });
  return { url: `${url}/events`, aborted };
}

describe.each(flavoursOnEachAdapter)('$name: a client that leaves', (flavour) => {
  it.each(partings)('unsubscribes from the source when the client leaves by %s', async (_how, leave) => {
    const { source, released } = watched(concat(of('hello'), NEVER));
    const client = await openStream(flavour, () => source);
    await client.next();
    leave(client);
    await released;
  });

  it.each(partings)(
    'unsubscribes when the client leaves by %s before the first event',
    async (_how, leave) => {
      const { source, released } = watched();
      leave(await openStream(flavour, async () => source));
      await released;
    },
  );

  it.each(partings)(
    'aborts @SseSignal() when the client leaves by %s, and not before',
    async (_how, leave) => {
      let isAborted = (): boolean => true;
      const { url, aborted } = await startWithSignal(flavour, (signal) => {
        isAborted = () => signal.aborted;
        return concat(timer(2), NEVER);
      });
      const client = await listen(url);
      await client.next();
      expect(isAborted()).toBe(false);
      leave(client);
      await aborted;
    },
  );

  it('aborts @SseSignal() when the client leaves while the method still works', async () => {
    const subscriptions: string[] = [];
    let begin: () => void;
    const working = new Promise<void>((resolve) => (begin = resolve));
    const { url, aborted } = await startWithSignal(flavour, async (signal) => {
      begin();
      await once(signal, 'abort');
      return defer(() => {
        subscriptions.push('subscribed');
        return NEVER;
      });
    });
    const client = await Wire.get(url);
    await working;
    client.leave();
    await aborted;
    // What it returns afterwards is wanted by nobody.
    await new Promise((resolve) => setImmediate(resolve));
    expect(subscriptions).toEqual([]);
  });
});

describe.each(flavours)('$name: the end of a stream', (flavour) => {
  it.each<[string, Observable<unknown>]>([
    ['completes', concat(timer(2), of('x'))],
    ['is empty', EMPTY],
    [
      'fails',
      concat(
        timer(2),
        throwError(() => new Error('x')),
      ),
    ],
    ['fails before the head', throwError(() => new Error('x'))],
  ])('aborts @SseSignal() when the stream %s', async (_how, source) => {
    const { url, aborted } = await startWithSignal(flavour, () => source);
    await answerTo(url);
    await aborted;
  });
});
