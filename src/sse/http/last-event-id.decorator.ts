import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { Exchange } from './exchange.js';

/**
 * Injects the position that the client sent, for a method that makes something of it by itself: the
 * `Last-Event-ID` header, else the query parameter `lastEventId`, else undefined. `hub.stream()` needs
 * no help.
 */
export const LastEventId: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => {
    const http = context.switchToHttp();
    return new Exchange(http.getResponse<object>()).lastEventId;
  },
);
