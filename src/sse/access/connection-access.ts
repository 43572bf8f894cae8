import { ForbiddenException, Logger } from '@nestjs/common';
import type { ConnectionHandle, ConnectionPart } from '../http/connection-part.js';
import { ownEvent } from '../http/plain-event.js';
import type { ChannelGate } from '../streams/channel-gate.js';
import type { Cursor } from '../streams/cursor.js';
import type { StreamReader } from '../streams/stream-reader.js';
import type { Access } from './access.js';

const logger = new Logger('SseConnection');

/** The reason for which a client does not get a channel, or has lost it. */
export type DenialReason =
  /** A method with `@AuthorizeChannel()` refused it, or none covers it (`unguarded: 'deny'`, the ready endpoint). */
  | 'forbidden'
  /** It was taken away by `hub.revoke()`. */
  | 'revoked';

/** The data of a `denied` event. */
export interface Denial {
  readonly channel: string;
  readonly reason: DenialReason;
}

/** A channel that somebody who was asked has granted. */
interface Grant {
  readonly channel: string;
  /** The connection's own reader, or one of a stream whose way to the client could not be seen. */
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

/**
 * Access control of one connection: decides which channels it streams, and takes them away from it again.
 *
 * A revocation acts in the order of time, although it may come late from another instance: a channel that was asked for
 * before it is taken away, and one that was asked for later is asked for again.
 */
export class ConnectionAccess implements ConnectionPart, ChannelGate {
  /** Questions that are not answered yet. */
  readonly #pending = new Set<Decision>();
  #grants: readonly Grant[] = [];
  /** When channels that nobody is asked for began, of those that came after the response was open. */
  #late: Map<string, number> | undefined;
  /** Channels that were refused before the response was open. */
  #denied: Set<string> | undefined;
  #review: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: ConnectionHandle,
    private readonly access: Access,
  ) {
    access.connections.add(this);
    const expiresAt = connection.identity?.expiresAt;
    if (expiresAt !== undefined) access.expiries.add(this, Number(expiresAt));
  }

  get user(): string | undefined {
    return this.connection.identity?.user;
  }

  get gate(): ChannelGate {
    return this;
  }

  ask(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): boolean {
    if (!this.access.authorization.guards(channel)) return false;
    this.#decide(channel, reader, decided);
    return true;
  }

  denied(channel: string): void {
    if (this.connection.isOpen) this.connection.tell('denied', denial(channel, 'forbidden'));
    else (this.#denied ??= new Set()).add(channel);
  }

  isDeciding(channel: string): boolean {
    for (const decision of this.#pending) if (decision.channel === channel) return true;
    return false;
  }

  /** The answer to a client that was denied all that it asked for. */
  refusal(): ForbiddenException | undefined {
    if (!this.#denied || this.#grants.length > 0 || this.connection.reader.isUsed) return undefined;
    return new ForbiddenException('None of these channels may be streamed.');
  }

  firstEvents(): string {
    let text = '';
    for (const channel of this.#denied ?? []) text += ownEvent('denied', denial(channel, 'forbidden'));
    return text;
  }

  began(channel: string): void {
    const { isOpen, reader } = this.connection;
    if (!isOpen) return;
    const late = (this.#late ??= new Map<string, number>());
    for (const name of late.keys()) if (!isStreamed({ channel: name, reader })) late.delete(name);
    late.set(channel, performance.now());
  }

  /** Refuses a channel that another reader has, unless it was granted for this connection or is open. */
  foreignValue(cursor: Cursor): void {
    if (cursor.access === 'open') return;
    const { name } = cursor.channel;
    if (!this.access.authorization.guards(name) || this.#grants.some((grant) => isOf(grant, cursor))) return;
    logger.error(
      `The channel "${name}" has reached a response, and nobody was asked whether it may: its stream is shared, and somebody else has subscribed to it. Give each response a stream of its own, or say "authorize: false".`,
    );
    throw new ForbiddenException();
  }

  /**
   * Takes a channel away that was asked for by then, and tells the client. A decision about it that is pending becomes
   * a refusal. Where the channel was asked for later, whoever has granted it is asked again.
   *
   * @param at `performance.now()`
   * @returns whether it was taken away
   */
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
    this.connection.end(undefined, ownEvent('expired', {}));
  }

  closed(): void {
    this.access.connections.delete(this);
    this.access.expiries.delete(this);
    clearTimeout(this.#review);
    // A request to join need not wait for an answer that can change nothing.
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const { decided } of pending) decided(false);
  }

  #decide(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): void {
    const askedAt = performance.now();
    const decision: Decision = { channel, decided, askedAt, state: 'open' };
    this.#pending.add(decision);
    const ask = async (): Promise<void> => {
      const answer = await this.#asks(channel);
      if (!this.#pending.has(decision)) return; // refused when the connection closed
      if (answer && decision.state === 'doubtful') {
        decision.state = 'open';
        return ask();
      }
      this.#pending.delete(decision);
      // A stream that was shared may be subscribed to, and so be asked for, after its response has ended.
      const isGranted = answer && decision.state === 'open' && !this.connection.isClosed;
      if (isGranted) this.#granted({ channel, reader, askedAt });
      decided(isGranted);
    };
    void ask();
  }

  #granted(grant: Grant): void {
    const { channel, reader } = grant;
    // A channel that was left is forgotten here: a stream may go through many channels, one after the other.
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
    const { reader: ownReader, beganAt, isClosed } = this.connection;
    if (isClosed) return false;
    const granted = this.#grants.filter((grant) => grant.channel === channel);
    const own = granted.some(({ reader }) => reader === ownReader)
      ? []
      : [{ channel, reader: ownReader, askedAt: this.#late?.get(channel) ?? beganAt }];
    const streamed = [...own, ...granted].filter((grant) => grant.askedAt <= at && isStreamed(grant));
    const readers = new Set(streamed.map(({ reader }) => reader));
    if (readers.size === 0) return false;
    this.connection.tell('denied', denial(channel, reason));
    for (const reader of readers) reader.withdraw(channel);
    return true;
  }

  #asks(channel: string): Promise<boolean> {
    return this.access.authorization.grants(channel, {
      user: this.user,
      request: this.connection.request,
    });
  }

  #reviewLater(): void {
    if (this.access.reauthorize === 0 || this.connection.isClosed) return;
    this.#review ??= setTimeout(() => void this.#reviewNow(), this.access.reauthorize).unref();
  }

  /** Asks again about every grant, and takes the channel away where it is refused now. */
  async #reviewNow(): Promise<void> {
    this.#grants = this.#grants.filter(isStreamed);
    const channels = new Set(this.#grants.map(({ channel }) => channel));
    await Promise.all([...channels].map((channel) => this.#askAgain(channel, 'forbidden')));
    this.#review = undefined;
    if (this.#grants.length > 0) this.#reviewLater();
  }
}

const denial = (channel: string, reason: DenialReason): Denial => ({ channel, reason });

const isOf = ({ channel, reader }: Grant, { channel: { name }, reader: by }: Cursor): boolean =>
  channel === name && reader === by;

function isStreamed({ channel, reader }: Pick<Grant, 'channel' | 'reader'>): boolean {
  return reader.position.of(channel)?.isEnded === false;
}
