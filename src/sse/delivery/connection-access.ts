import { ForbiddenException, Logger } from '@nestjs/common';
import type { Access } from '../hub/access/access.js';
import type { Cursor } from '../hub/reading/cursor.js';
import { cursorHandingOn } from '../hub/reading/handing-on.js';
import { checkIdentity, refuseExpired, type Identity } from '../hub/access/identity.js';
import type { StreamAccess } from '../hub/reading/stream-context.js';
import type { StreamReader } from '../hub/reading/stream-reader.js';
import { LONGEST_TIMER } from '../sse.settings.js';
import { ownEvent } from './plain-event.js';
import { isThenable } from '../hub/thenable.js';

const logger = new Logger('SseConnection');

/** Why a client does not get a channel, or no longer. */
export type DenialReason =
  /** Not everybody who was asked for it has granted it. */
  | 'forbidden'
  /** It was taken away by `hub.revoke()`. */
  | 'revoked';

/** The data of a `denied` event. */
export interface Denial {
  readonly channel: string;
  readonly reason: DenialReason;
}

/** What is asked of a connection that has to do with users. */
export interface AccessOwner {
  /** The request, as the adapter has it. */
  readonly request: unknown;
  readonly reader: StreamReader;
  readonly isOpen: boolean;
  /** Tells its client something that is no event of a channel. */
  tell(type: string, data: object): void;
  error(error: unknown): void;
  /** Ends the response, with a last event. */
  end(retry: undefined, farewell: string): void;
}

/** A channel that somebody who was asked has granted. */
interface Grant {
  readonly channel: string;
  /** Who reads it: the connection's own reader, or one of which it was not seen that it leads there. */
  readonly reader: StreamReader;
}

/** A channel that somebody is being asked for. */
interface Decision {
  readonly channel: string;
  readonly decided: (isGranted: boolean) => void;
  isRevoked: boolean;
}

/** Who a connection belongs to, what it may stream, and for how long. */
export class ConnectionAccess implements StreamAccess {
  identity: Identity | undefined;
  /** What is being decided now. */
  readonly #pending = new Set<Decision>();
  #grants: readonly Grant[] = [];
  /** What it is to be told when it is open. */
  readonly #denied = new Set<string>();
  #expiry: NodeJS.Timeout | undefined;
  #review: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly owner: AccessOwner,
    private readonly access: Access,
  ) {}

  /**
   * Asks who it is. What `identify()` throws is the request's error, and so is a time that is over.
   *
   * @returns whether that is known, at once or later: never a rejection
   */
  identify(): boolean | Promise<boolean> {
    try {
      const identity = this.access.identify?.(this.owner.request);
      return isThenable(identity) ? this.#identifyLater(identity) : this.#identifiedAs(identity);
    } catch (error) {
      this.owner.error(error);
      return false;
    }
  }

  guards(channel: string): boolean {
    return this.access.authorization.guards(channel);
  }

  decide(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): void {
    const decision: Decision = { channel, decided, isRevoked: false };
    this.#pending.add(decision);
    void this.#asks(channel).then((answer) => {
      if (!this.#pending.delete(decision)) return;
      const isGranted = answer && !decision.isRevoked && !this.#isClosed;
      if (isGranted) this.#granted({ channel, reader });
      decided(isGranted);
    });
  }

  denied(channel: string): void {
    if (this.owner.isOpen) this.#tellDenied(channel, 'forbidden');
    else this.#denied.add(channel);
  }

  /** The answer to a client that was denied all that it asked for. */
  get refusal(): ForbiddenException | undefined {
    if (this.#denied.size === 0 || this.#grants.length > 0 || this.owner.reader.isUsed) return undefined;
    return new ForbiddenException('None of these channels may be streamed.');
  }

  /** Its client can be told now. */
  opened(): void {
    for (const channel of this.#denied) this.#tellDenied(channel, 'forbidden');
    this.#denied.clear();
  }

  /**
   * Looks at who has read what arrives now. A stream that is shared may lead here from another response, or from
   * no response, and nobody was asked about this one.
   *
   * @throws ForbiddenException
   */
  checkArriving(): void {
    const cursor = cursorHandingOn();
    if (!cursor || cursor.host === this.owner.reader || cursor.isForAll) return;
    const { name } = cursor.channel;
    if (!this.guards(name) || this.#grants.some((grant) => isOf(grant, cursor))) return;
    logger.error(
      `The channel "${name}" has reached a response, and nobody was asked whether it may: its stream is shared, and somebody else has subscribed to it. Give each response a stream of its own, or say "authorize: false".`,
    );
    throw new ForbiddenException();
  }

  /** Takes a channel away. What is being decided about it is a no. */
  revoke(channel: string): boolean {
    for (const decision of this.#pending) if (decision.channel === channel) decision.isRevoked = true;
    return this.#withdraw(channel, 'revoked');
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#expiry);
    clearTimeout(this.#review);
    // Who waits for an answer, as a request to join, need not wait for what can change nothing.
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const { decided } of pending) decided(false);
  }

  async #identifyLater(identity: PromiseLike<Identity | undefined>): Promise<boolean> {
    try {
      return this.#identifiedAs(await identity);
    } catch (error) {
      this.owner.error(error);
      return false;
    }
  }

  #identifiedAs(identity: Identity | undefined): boolean {
    this.identity = checkIdentity(identity);
    if (identity?.expiresAt === undefined || this.#isClosed) return true;
    refuseExpired(identity);
    this.#expireAt(Number(identity.expiresAt));
    return true;
  }

  #expireAt(at: number): void {
    const left = at - Date.now();
    this.#expiry = setTimeout(
      () => {
        if (left > LONGEST_TIMER) this.#expireAt(at);
        else this.owner.end(undefined, ownEvent('expired', {}));
      },
      Math.min(left, LONGEST_TIMER),
    ).unref();
  }

  #granted(grant: Grant): void {
    // What is left is forgotten here: a stream may go through many channels, one after the other.
    this.#grants = [...this.#grants.filter(isStreamed), grant];
    this.#reviewLater();
  }

  #withdraw(channel: string, reason: DenialReason): boolean {
    if (this.#isClosed) return false;
    const own = { channel, reader: this.owner.reader };
    const granted = this.#grants.filter((grant) => grant.channel === channel);
    const readers = new Set([own, ...granted].filter(isStreamed).map(({ reader }) => reader));
    if (readers.size === 0) return false;
    this.#tellDenied(channel, reason);
    for (const reader of readers) reader.withdraw(channel);
    return true;
  }

  #tellDenied(channel: string, reason: DenialReason): void {
    this.owner.tell('denied', { channel, reason } satisfies Denial);
  }

  #asks(channel: string): Promise<boolean> {
    return this.access.authorization.grants(channel, {
      user: this.identity?.user,
      request: this.owner.request,
    });
  }

  #reviewLater(): void {
    if (this.access.reauthorize === 0 || this.#isClosed) return;
    this.#review ??= setTimeout(() => void this.#reviewNow(), this.access.reauthorize).unref();
  }

  /** Asks again about all that was granted, and takes away what is not any more. */
  async #reviewNow(): Promise<void> {
    this.#grants = this.#grants.filter(isStreamed);
    const channels = new Set(this.#grants.map(({ channel }) => channel));
    await Promise.all(
      [...channels].map(async (channel) => {
        if (!(await this.#asks(channel))) this.#withdraw(channel, 'forbidden');
      }),
    );
    this.#review = undefined;
    if (this.#grants.length > 0) this.#reviewLater();
  }
}

const isOf = ({ channel, reader }: Grant, { channel: { name }, host }: Cursor): boolean =>
  channel === name && reader === host;

function isStreamed({ channel, reader }: Grant): boolean {
  const track = reader.position.of(channel);
  return track !== undefined && !track.isLeft && !track.cursor.isEnded;
}
