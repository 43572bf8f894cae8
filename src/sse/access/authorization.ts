import { inspect } from 'node:util';
import { HttpException, Logger } from '@nestjs/common';
import {
  answerInTime,
  type ChannelHandler,
  type ChannelHandlers,
  type MatchedHandler,
} from '../handlers/channel-handlers.js';
import { SparseLog, sparseLine } from '../sparse-log.js';

/** The question that a method with `@AuthorizeChannel()` is asked. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application knows the type of its adapter's request
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
  /** Methods whose truthy answer other than `true` was logged already. */
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

  /** Whether any channel is restricted. */
  get restrictsAny(): boolean {
    return this.unguarded === 'deny' || this.hasAuthorisers;
  }

  /** Whether a stream of the channel has to be granted, or is denied, beyond the guards of its route. */
  isRestricted(channel: string): boolean {
    return this.unguarded === 'deny' || this.handlers.of('authorize', channel).length > 0;
  }

  /**
   * Asks all methods that match. Grants only if there is one, and all say true; no answer in time is a no, and so is
   * an error. Never rejects.
   */
  async grants(channel: string, asker: Asker): Promise<boolean> {
    const asked = this.handlers.of('authorize', channel);
    if (asked.length === 0) {
      this.logUnguarded(channel);
      return false;
    }
    const answers = await Promise.all(asked.map((one) => this.#answer(one, channel, asker)));
    return answers.every((answer) => answer);
  }

  /** Logs why a channel is denied about which no method is asked. */
  logUnguarded(channel: string): void {
    this.#deny(channel, channel, 'no method with @AuthorizeChannel() is for it');
  }

  async #answer(
    { handler, params, isCanonical }: MatchedHandler,
    channel: string,
    asker: Asker,
  ): Promise<boolean> {
    if (!isCanonical) {
      const pattern = handler.pattern.text;
      const why = `the values in its name are not encoded as by encodeURIComponent() for "${pattern}". Build the name with ChannelDefinition.of()`;
      this.#deny(`encoded otherwise: ${pattern}`, channel, why);
      return false;
    }
    try {
      const access: ChannelAccess = { channel, params, ...asker };
      const late = `It is not known who may stream "${channel}".`; // of an exception that is caught below
      const answer = await answerInTime(handler, access, this.authorizeTime, this.#logger, late);
      // A truthy answer may be an object that says no, such as { allowed: false }.
      if (answer && answer !== true) this.#tellTruthy(handler, answer);
      return answer === true;
    } catch (error) {
      // An HttpException is a way to say no, and is not logged. A timeout is one, too: answerInTime() has logged it.
      if (!(error instanceof HttpException)) this.#logger.error(error);
      return false;
    }
  }

  /** Logs a denial, though not each one: clients choose the names, and could fill the log. */
  #deny(kind: string, channel: string, why: string): void {
    const line = `The channel ${JSON.stringify(channel)} is denied: ${why}.`;
    this.#log.add(kind, (leftOut) => this.#logger.warn(sparseLine(line, leftOut, { channel })));
  }

  #tellTruthy(handler: ChannelHandler, answer: unknown): void {
    if (this.#truthy.has(handler)) return;
    this.#truthy.add(handler);
    this.#logger.error(
      `${handler.name} has answered with ${inspect(answer, { depth: 0 })}, which denies the channel. Return true, or a Promise of it, to grant it.`,
    );
  }
}
