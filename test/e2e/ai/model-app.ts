import { Body, Controller, HttpCode, Param, Post, RequestMethod, type Type } from '@nestjs/common';
import { aiSdk, aiSdkRun, ModelRuns, ModelRunsModule, type AiSdkRequest } from '../../../src/sse/ai/index.js';
import { Sse } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, type SseApp, type SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { Feed } from '../streams/feed.js';

/** A model that says what the test says, once for each time it is asked. */
export class Model {
  readonly answers: { readonly feed: Feed; readonly signal: AbortSignal }[] = [];

  async *ask(signal: AbortSignal): AsyncGenerator<object> {
    const feed = new Feed();
    this.answers.push({ feed, signal });
    for await (const { data } of feed) yield { type: 'text-delta', id: 't', delta: data };
  }

  /** Resolves when it was asked for the n-th time. */
  async asked(count = 1): Promise<Feed> {
    await eventually(() => this.answers.length >= count);
    return this.answers[count - 1]!.feed;
  }
}

/** As an application writes it. */
function chatOf(model: Model): Type {
  @Controller('chat')
  class ChatController {
    constructor(private readonly runs: ModelRuns) {}

    @Sse('', { method: RequestMethod.POST, plain: aiSdk.plain })
    chat(@Body() body: AiSdkRequest) {
      return this.runs.start(aiSdkRun(body), (signal) => model.ask(signal));
    }

    @Sse(':id/stream', { plain: aiSdk.plain })
    resume(@Param('id') id: string) {
      return this.runs.resume(id);
    }

    @Post(':id/stop')
    @HttpCode(204)
    stop(@Param('id') id: string) {
      return this.runs.stop(id);
    }
  }
  return ChatController;
}

export const startChat = (model: Model, options: SseAppOptions = {}): Promise<SseApp> =>
  startSseApp({
    ...options,
    imports: [ModelRunsModule],
    controllers: [chatOf(model), ...(options.controllers ?? [])],
  });

export interface Asked {
  readonly chat?: string;
  readonly message?: string;
  readonly trigger?: string;
}

/** What `useChat` sends. */
const bodyOf = ({ chat = 'c', message = 'm', ...more }: Asked): object => ({
  id: chat,
  messages: [{ id: message, role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
  ...more,
});

export const post = ({ url }: SseApp, asked: Asked = {}): Promise<TestStream> =>
  listen(`${url}/chat`, { body: bodyOf(asked) });

/** The status of an answer that may be no stream. */
export const statusOfPost = async ({ url }: SseApp, asked: Asked): Promise<number> =>
  (await answerTo(`${url}/chat`, { body: bodyOf(asked) })).status;
export const statusOfResume = async ({ url }: SseApp): Promise<number> =>
  (await answerTo(`${url}/chat/c/stream`)).status;

export const resume = ({ url }: SseApp, lastEventId = ''): Promise<TestStream> =>
  listen(`${url}/chat/c/stream`, { lastEventId });

export const stop = async ({ url }: SseApp): Promise<number> =>
  (await fetch(`${url}/chat/c/stop`, { method: 'POST' })).status;
