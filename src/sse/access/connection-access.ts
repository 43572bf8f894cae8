import { ForbiddenException, Logger } from '@nestjs/common';
import type { Access } from './access.js';
import { currentCursor, type Cursor } from '../streams/cursor.js';
import type { Expiring } from './expiries.js';
import { checkIdentity, refuseExpired, type Identity } from '../http/identity.js';
import type { ChannelGate } from '../streams/channel-gate.js';
import type { StreamReader } from '../streams/stream-reader.js';
import { ownEvent } from '../http/plain-event.js';
import { isThenable } from '../values.js';

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
  /** When the request was let in: `performance.now()`. */
  readonly beganAt: number;
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
  /** When it was asked for: `performance.now()`. */
  readonly askedAt: number;
}

/** A channel that somebody is being asked for. */
interface Decision {
  readonly channel: string;
  readonly decided: (isGranted: boolean) => void;
  /** When it was asked for: `performance.now()`. */
  readonly askedAt: number;
  /** A channel that was revoked after it was asked for is a no; one revoked before is asked for once more. */
  state: 'open' | 'doubtful' | 'revoked';
}

/** Who a connection belongs to, what it may stream, and for how long. */
export class ConnectionAccess implements ChannelGate, Expiring {
  identity: Identity | undefined;
  /** What is being decided now. */
  readonly #pending = new Set<Decision>();
  #grants: readonly Grant[] = [];
  /** When channels began that nobody was asked for, and that came after the response had begun. */
  #late: Map<string, number> | undefined;
  /** What it is to be told when it is open. */
  readonly #denied = new Set<string>();
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

  /** The user, as an open connection is told of. */
  get name(): { readonly user: string } | undefined {
    return this.identity && { user: this.identity.user };
  }

  ask(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): boolean {
    if (!this.access.authorization.guards(channel)) return false;
    this.decide(channel, reader, decided);
    return true;
  }

  decide(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): void {
    const askedAt = performance.now();
    const decision: Decision = { channel, decided, askedAt, state: 'open' };
    this.#pending.add(decision);
    const answered = (answer: boolean): void => {
      if (!this.#pending.has(decision)) return;
      if (answer && decision.state === 'doubtful') {
        decision.state = 'open';
        void this.#asks(channel).then(answered);
        return;
      }
      this.#pending.delete(decision);
      const isGranted = answer && decision.state === 'open' && !this.#isClosed;
      if (isGranted) this.#granted({ channel, reader, askedAt });
      decided(isGranted);
    };
    void this.#asks(channel).then(answered);
  }

  isDeciding(channel: string): boolean {
    for (const decision of this.#pending) if (decision.channel === channel) return true;
    return false;
  }

  /** A channel of the own reader has begun. */
  began(channel: string): void {
    if (!this.owner.isOpen) return;
    const late = (this.#late ??= new Map<string, number>());
    for (const name of late.keys())
      if (!isStreamed({ channel: name, reader: this.owner.reader })) late.delete(name);
    late.set(channel, performance.now());
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

  /** Whether its client is to be told of channels that it does not get. */
  get hasDenied(): boolean {
    return this.#denied.size > 0;
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
    const cursor = currentCursor();
    if (!cursor || cursor.reader === this.owner.reader || cursor.isForAll) return;
    const { name } = cursor.channel;
    if (!this.access.authorization.guards(name) || this.#grants.some((grant) => isOf(grant, cursor))) return;
    logger.error(
      `The channel "${name}" has reached a response, and nobody was asked whether it may: its stream is shared, and somebody else has subscribed to it. Give each response a stream of its own, or say "authorize: false".`,
    );
    throw new ForbiddenException();
  }

  revoke(channel: string, at: number): boolean {
    for (const decision of this.#pending) {
      if (decision.channel !== channel) continue;
      if (decision.askedAt <= at) decision.state = 'revoked';
      else if (decision.state === 'open') decision.state = 'doubtful';
    }
    const isTaken = this.#withdraw(channel, 'revoked', at);
    const isLater = (grant: Grant): boolean =>
      grant.channel === channel && grant.askedAt > at && isStreamed(grant);
    if (this.#grants.some(isLater)) void this.#askAgain(channel, 'revoked');
    return isTaken;
  }

  /** The time of its identity is over. */
  expired(): void {
    this.owner.end(undefined, ownEvent('expired', {}));
  }

  close(): void {
    this.#isClosed = true;
    this.access.expiries.delete(this);
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
    this.access.expiries.add(this, Number(identity.expiresAt));
    return true;
  }

  #granted(grant: Grant): void {
    const { channel, reader } = grant;
    // What is left is forgotten here: a stream may go through many channels, one after the other.
    const others = this.#grants.filter(
      (other) => isStreamed(other) && !(other.channel === channel && other.reader === reader),
    );
    this.#grants = [...others, grant];
    this.#reviewLater();
  }

  async #askAgain(channel: string, reason: DenialReason): Promise<void> {
    if (!(await this.#asks(channel))) this.#withdraw(channel, reason);
  }

  /** @param at takes away only what was asked for by then */
  #withdraw(channel: string, reason: DenialReason, at = Infinity): boolean {
    if (this.#isClosed) return false;
    const granted = this.#grants.filter((grant) => grant.channel === channel);
    const { reader: ownReader, beganAt } = this.owner;
    const own = granted.some(({ reader }) => reader === ownReader)
      ? []
      : [{ channel, reader: ownReader, askedAt: this.#late?.get(channel) ?? beganAt }];
    const streamed = [...own, ...granted].filter((grant) => grant.askedAt <= at && isStreamed(grant));
    const readers = new Set(streamed.map(({ reader }) => reader));
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
    await Promise.all([...channels].map((channel) => this.#askAgain(channel, 'forbidden')));
    this.#review = undefined;
    if (this.#grants.length > 0) this.#reviewLater();
  }
}

const isOf = ({ channel, reader }: Grant, { channel: { name }, reader: by }: Cursor): boolean =>
  channel === name && reader === by;

function isStreamed({ channel, reader }: Pick<Grant, 'channel' | 'reader'>): boolean {
  return reader.position.of(channel)?.isEnded === false;
}
