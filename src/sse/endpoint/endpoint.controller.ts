import {
  Body,
  Controller,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  RequestMethod,
  Res,
  UseGuards,
  type CanActivate,
  type ControllerOptions,
  type Type,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Sse } from '../http/sse.decorator.js';
import { Exchange } from '../http/exchange.js';
import type { ChangeOutcome } from './joinable-streams.js';
import type { SseEvent } from '../log/sse-event.js';
import { checkObject, listOf, stringOf } from '../validate.js';
import { Endpoint } from './endpoint.js';

/** The ready-made endpoint: one connection for many channels, which its client joins and leaves. */
export interface EndpointOptions {
  /** The path at which it is mounted, as in `@Controller()`. */
  readonly path: string;
  /**
   * Guards of the stream and of joining, as in `@UseGuards()`. @defaultValue those of the application only
   */
  readonly guards?: readonly (CanActivate | Type<CanActivate>)[];
  /** Decorators of the endpoint's controller, for throttling or an API's description, for example. */
  readonly decorators?: readonly ClassDecorator[];
  /** Its version, as in `@Controller()`. @defaultValue that of the application */
  readonly version?: NonNullable<ControllerOptions['version']>;
}

const controllers = new WeakSet<object>();

/** Whether a controller class is one of an endpoint. */
export const isEndpoint = (controller: object): boolean => controllers.has(controller);

/**
 * Makes the controller class of the endpoint.
 *
 * @throws SseError `INVALID_OPTIONS`
 */
export function endpointController(options: EndpointOptions): Type {
  checkObject(options, ['path', 'guards', 'decorators', 'version'], 'The option "endpoint"');
  const { path, guards = [], decorators = [], version } = options;
  stringOf('endpoint.path', path);
  listOf('endpoint.guards', guards, 'guards');
  listOf('endpoint.decorators', decorators, 'decorators', (one) => typeof one === 'function');

  @Controller({ path, ...(version !== undefined && { version }) })
  @UseGuards(...(guards as readonly CanActivate[]))
  class SseEndpointController {
    constructor(@Inject(Endpoint) private readonly endpoint: Endpoint) {}

    @Sse()
    stream(): Observable<SseEvent> {
      return this.endpoint.stream();
    }

    @Sse('/', { method: RequestMethod.POST })
    @HttpCode(HttpStatus.OK)
    streamFrom(@Body() body: unknown): Observable<SseEvent> {
      return this.endpoint.streamFrom(body);
    }

    @Post(':connection/channels')
    @HttpCode(HttpStatus.OK)
    change(
      @Param('connection') connection: string,
      @Body() body: unknown,
      @Res({ passthrough: true }) response: object,
    ): Promise<ChangeOutcome> {
      return this.endpoint.change(connection, body, new Exchange(response));
    }
  }
  controllers.add(SseEndpointController);
  // As if they were written above the class: the lowest is applied first.
  for (const decorate of [...decorators].reverse()) decorate(SseEndpointController);
  return SseEndpointController;
}
