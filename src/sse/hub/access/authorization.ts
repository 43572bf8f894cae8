import { HttpException, Logger } from '@nestjs/common';
import { answerInTime } from '../handlers/answer-in-time.js';
import type { ChannelHandlers, MatchedHandler } from '../handlers/channel-handlers.js';

/** What a method with `@AuthorizeChannel()` is asked. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- which adapter's request it is, the application knows
export interface ChannelAccess<Params = Readonly<Record<string, string>>, Request = any> {
  readonly channel: string;
  /** What stands for the parameters of the pattern, decoded. */
  readonly params: Params;
  /** Who asks, as `identify` says. */
  readonly user: string | undefined;
  /** The request that the stream belongs to, as the adapter has it. */
  readonly request: Request;
}

/** Who wants to stream a channel. */
export type Asker = Pick<ChannelAccess, 'user' | 'request'>;

/** Asks the application who may stream which channel. */
export class Authorization {
  readonly #logger = new Logger('AuthorizeChannel');

  constructor(
    private readonly handlers: ChannelHandlers,
    /** Milliseconds that an answer may take. */
    private readonly authorizeTime: number,
  ) {}

  /** Whether anybody is asked for a channel. */
  guards(channel: string): boolean {
    return this.handlers.of('authorize', channel).length > 0;
  }

  /** Whether all who are asked grant it. No answer in time is a no, and so is an error: it never rejects. */
  async grants(channel: string, asker: Asker): Promise<boolean> {
    const asked = this.handlers.of('authorize', channel);
    const answers = await Promise.all(asked.map((one) => this.#answer(one, channel, asker)));
    return answers.every((answer) => answer);
  }

  async #answer(
    { handler, params, isCanonical }: MatchedHandler,
    channel: string,
    asker: Asker,
  ): Promise<boolean> {
    if (!isCanonical) {
      this.#logger.warn(
        `The channel "${channel}" is denied: its name does not write the parameters of "${handler.pattern.text}" as encodeURIComponent() does. Make it with ChannelDefinition.of().`,
      );
      return false;
    }
    try {
      const access: ChannelAccess = { channel, params, ...asker };
      const late = `It is not known who may stream "${channel}".`;
      // What is only truthy may be an object that says no.
      return (await answerInTime(handler, access, this.authorizeTime, this.#logger, late)) === true;
    } catch (error) {
      // To throw an UnauthorizedException, or one like it, is to say no; that there was no answer has been said.
      if (!(error instanceof HttpException)) this.#logger.error(error);
      return false;
    }
  }
}
