import { ServiceUnavailableException, type Logger } from '@nestjs/common';
import type { ChannelHandler } from './channel-handlers.js';

/**
 * What a handler answers. One that takes too long is named in the log.
 *
 * @param request what it is asked
 * @param time milliseconds
 * @throws ServiceUnavailableException of that message, if it takes longer; what the handler throws
 */
export async function answerInTime(
  handler: ChannelHandler,
  request: { readonly channel: string },
  time: number,
  logger: Logger,
  message: string,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      logger.error(`${handler.name} has not answered for "${request.channel}" in ${time} ms.`);
      reject(new ServiceUnavailableException(message));
    }, time).unref();
  });
  try {
    return await Promise.race([handler.call(request), late]);
  } finally {
    clearTimeout(timer);
  }
}
