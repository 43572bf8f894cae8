import { inspect } from 'node:util';
import { HttpException, Logger } from '@nestjs/common';
import {
  answerInTime,
  type ChannelHandler,
  type ChannelHandlers,
  type MatchedHandler,
} from '../handlers/channel-handlers.js';
import { SparseLog } from '../sparse-log.js';

/** The question that a method with `@AuthorizeChannel()` is asked. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- which adapter's request it is, the application knows
export interface ChannelAccess<Params = Readonly<Record<string, string>>, Request = any> {
  readonly channel: string;
  /** The values of the pattern's parameters, decoded. */
  readonly params: Params;
  /** The user, as `identify` says; undefined for an unknown client. */
  readonly user: string | undefined;
  /** The request that the stream belongs to, as the adapter has it. */
  readonly request: Request;
}

/** A client that wants to stream a channel. */
export type Asker = Pick<ChannelAccess, 'user' | 'request'>;

/** Asks the application who may stream which channel. */
export class Authorization {
  readonly #logger = new Logger('AuthorizeChannel');
  readonly #log = new SparseLog();
  /** Methods that have answered with something else than a boolean, which was logged. */
  readonly #truthy = new Set<ChannelHandler>();

  constructor(
    private readonly handlers: ChannelHandlers,
    /** Milliseconds that an answer may take. */
    private readonly authorizeTime: number,
    private readonly unguarded: 'open' | 'deny',
  ) {}

  get hasAuthorisers(): boolean {
    return this.handlers.has('authorize');
  }

  /** Whether any channel is guarded. */
  get isUsed(): boolean {
    return this.unguarded === 'deny' || this.hasAuthorisers;
  }

  /** Whether a channel is not open to whoever gets past the guards of a route. */
  guards(channel: string): boolean {
    return this.unguarded === 'deny' || this.handlers.of('authorize', channel).length > 0;
  }

  /**
   * Whether there is somebody to be asked, and all who are asked grant it. No answer in time is a no, and so is an
   * error: it never rejects.
   */
  async grants(channel: string, asker: Asker): Promise<boolean> {
    const asked = this.handlers.of('authorize', channel);
    if (asked.length === 0) return this.denyUnguarded(channel);
    const answers = await Promise.all(asked.map((one) => this.#answer(one, channel, asker)));
    return answers.every((answer) => answer);
  }

  /** Says why a channel is denied for which nobody is asked. */
  denyUnguarded(channel: string): false {
    this.#deny(channel, channel, 'no method with @AuthorizeChannel() is for it');
    return false;
  }

  async #answer(
    { handler, params, isCanonical }: MatchedHandler,
    channel: string,
    asker: Asker,
  ): Promise<boolean> {
    if (!isCanonical) {
      const pattern = handler.pattern.text;
      const why = `its name does not write the parameters of "${pattern}" as encodeURIComponent() does; make it with ChannelDefinition.of()`;
      this.#deny(`written otherwise: ${pattern}`, channel, why);
      return false;
    }
    try {
      const access: ChannelAccess = { channel, params, ...asker };
      const late = `It is not known who may stream "${channel}".`;
      const answer = await answerInTime(handler, access, this.authorizeTime, this.#logger, late);
      // A truthy answer may be an object that says no.
      if (answer && answer !== true) this.#tellTruthy(handler, answer);
      return answer === true;
    } catch (error) {
      // To throw an UnauthorizedException, or one like it, is to say no; that there was no answer has been said.
      if (!(error instanceof HttpException)) this.#logger.error(error);
      return false;
    }
  }

  /** Clients choose names: what they are denied is not logged each time. */
  #deny(kind: string, channel: string, why: string): void {
    this.#log.add(kind, (leftOut) => {
      const others = leftOut > 0 ? ` So were ${leftOut} others since the last such line.` : '';
      this.#logger.warn(`The channel ${JSON.stringify(channel)} is denied: ${why}.${others}`);
    });
  }

  #tellTruthy(handler: ChannelHandler, answer: unknown): void {
    if (this.#truthy.has(handler)) return;
    this.#truthy.add(handler);
    this.#logger.error(
      `${handler.name} has answered with ${inspect(answer, { depth: 0 })}, which denies the channel. Return true, or a Promise of it, to grant it.`,
    );
  }
}
