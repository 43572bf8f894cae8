import { Body, Controller, Inject, Post, Res, UseGuards, type CanActivate, type Type } from '@nestjs/common';
import { Exchange } from '../http/exchange.js';
import type { BatchOutcome } from './answers.js';
import { HttpPublishing, type PublishedAnswer } from './http-publishing.js';
import type { SsePublishRoute } from './publish.options.js';

/** The controller that the module makes. */
export interface PublishController {
  publish(body: unknown, response: object): Promise<PublishedAnswer | BatchOutcome>;
}

/** The part of a response that every adapter has. */
interface AdapterResponse {
  status(code: number): unknown;
}

/** Makes the controller class of the route. */
export function publishController(route: SsePublishRoute): Type<PublishController> {
  const { path, guards, decorators = [], version } = route;

  @Controller({ path, ...(version !== undefined && { version }) })
  @UseGuards(...((guards === 'none' ? [] : guards) as readonly CanActivate[]))
  class SsePublishController implements PublishController {
    constructor(@Inject(HttpPublishing) private readonly publishing: HttpPublishing) {}

    @Post()
    async publish(
      @Body() body: unknown,
      @Res({ passthrough: true }) response: object,
    ): Promise<PublishedAnswer | BatchOutcome> {
      const answer = await this.publishing.publish(body, new Exchange(response));
      (response as AdapterResponse).status(answer.status);
      return answer.body;
    }
  }
  // As if they were written above the class: the lowest is applied first.
  for (const decorate of [...decorators].reverse()) decorate(SsePublishController);
  return SsePublishController;
}
