import { ForbiddenException, Logger } from '@nestjs/common';
import type { ConnectionHandle, ConnectionPart } from '../http/connection-part.js';
import { ownEvent } from '../http/event-body.js';
import type { ChannelGate } from '../streams/channel-gate.js';
import type { Cursor } from '../streams/cursor.js';
import type { StreamReader } from '../streams/stream-reader.js';
import { sparseLine } from '../sparse-log.js';
import type { Access } from './access.js';

const logger = new Logger('SseConnection');

/** The reason for which a client does not get a channel, or has lost it. */
export type DenialReason =
  /** A method with `@AuthorizeChannel()` refused it, or none covers it (`unguarded: 'deny'`, the endpoint). */
  | 'forbidden'
  /** It was taken away by `hub.revoke()`. */
  | 'revoked';

/** The data of a `denied` event. */
export interface Denial {
  readonly channel: string;
  readonly reason: DenialReason;
}

/** A channel that the application has granted. */
interface Grant {
  readonly channel: string;
  /** The connection's own reader, or that of a stream that it subscribes to indirectly (streams/channel-stream.ts). */
  readonly reader: StreamReader;
  /** When it was requested: `performance.now()`. */
  readonly requestedAt: number;
}

/** A question to the application that is not answered yet. */
interface Decision {
  readonly channel: string;
  readonly decided: (isGranted: boolean) => void;
  /** When the channel was requested: `performance.now()`. */
  readonly requestedAt: number;
  /**
   * - `revoked`: the channel was revoked after the request, and is refused whatever the answer.
   * - `doubtful`: the channel was revoked before the request, and this instance learned it after. The answer may be older
   *   than the revocation, so after a yes the application is asked once more.
   */
  state: 'open' | 'doubtful' | 'revoked';
}

/**
 * Access control of one connection: decides which channels it streams, and takes them away from it again.
 *
 * The moment of a revocation decides, even if it arrives late from another instance: a channel that was requested
 * earlier is taken away; about one that was requested later the application is asked again.
 */
export class ConnectionAccess implements ConnectionPart, ChannelGate {
  readonly #pending = new Set<Decision>();
  #grants: readonly Grant[] = [];
  /** When channels began that were joined after the response was open, for those that need no grant. */
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
    if (!this.access.authorization.isRestricted(channel)) return false;
    void this.#decide(channel, reader, decided);
    return true;
  }

  denied(channel: string): void {
    const { isOpen } = this.connection;
    this.connection.denied(channel, 'forbidden', isOpen ? 'now' : 'at the opening');
    if (!isOpen) (this.#denied ??= new Set()).add(channel);
  }

  isDeciding(channel: string): boolean {
    for (const decision of this.#pending) if (decision.channel === channel) return true;
    return false;
  }

  /** The answer to a client that was denied all that it requested. */
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

  /**
   * A value has come through the cursor of another reader. It is refused unless its channel is unrestricted, or was
   * granted to this connection for that very reader.
   */
  foreignValue({ access, channel: { name }, reader }: Cursor): void {
    if (access === 'open' || !this.access.authorization.isRestricted(name)) return;
    if (this.#grants.some((grant) => grant.channel === name && grant.reader === reader)) return;
    this.access.log.add(name, (leftOut) =>
      logger.error(
        sparseLine(
          `The channel "${name}" reached a response without a question to @AuthorizeChannel(): its stream is shared, and was subscribed to for another response. Give each response a stream of its own, or say "authorize: false".`,
          leftOut,
          { channel: name },
        ),
      ),
    );
    throw new ForbiddenException();
  }

  /**
   * Takes a channel away if it was requested by `at`, and tells the client; a pending decision of that age becomes a
   * refusal. If it was requested later, the application is asked again.
   *
   * @param at when it was revoked: `performance.now()`
   * @returns whether it was taken away
   */
  revoke(channel: string, at: number): boolean {
    for (const decision of this.#pending) {
      if (decision.channel !== channel) continue;
      if (decision.requestedAt <= at) decision.state = 'revoked';
      else if (decision.state === 'open') decision.state = 'doubtful';
    }
    const isTaken = this.#withdraw(channel, 'revoked', at);
    const isLater = (grant: Grant): boolean =>
      grant.channel === channel && grant.requestedAt > at && isStreamed(grant);
    if (this.#grants.some(isLater)) void this.#askAgain(channel, 'revoked');
    return isTaken;
  }

  /** Its identity has expired. */
  expired(): void {
    this.connection.end('expired', undefined, ownEvent('expired', {}));
  }

  closed(): void {
    this.access.connections.delete(this);
    this.access.expiries.delete(this);
    clearTimeout(this.#review);
    // The connection is gone whatever the application answers: who waits for a decision gets it now.
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const { decided } of pending) decided(false);
  }

  async #decide(channel: string, reader: StreamReader, decided: Decision['decided']): Promise<void> {
    const requestedAt = performance.now();
    const decision: Decision = { channel, decided, requestedAt, state: 'open' };
    this.#pending.add(decision);
    let answer = await this.#answer(channel);
    while (answer && decision.state === 'doubtful' && this.#pending.has(decision)) {
      decision.state = 'open';
      answer = await this.#answer(channel);
    }
    if (!this.#pending.delete(decision)) return; // refused when the connection closed
    // A shared stream may be subscribed to after its response has ended.
    const isGranted = answer && decision.state === 'open' && !this.connection.isClosed;
    if (isGranted) this.#granted({ channel, reader, requestedAt });
    decided(isGranted);
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
    if (!(await this.#answer(channel))) this.#withdraw(channel, reason);
  }

  /** @param at takes away only what was requested by then */
  #withdraw(channel: string, reason: DenialReason, at = Infinity): boolean {
    const { reader: ownReader, beganAt, isClosed } = this.connection;
    if (isClosed) return false;
    const granted = this.#grants.filter((grant) => grant.channel === channel);
    // A channel that needs no grant has none: one is made up, so that it can be taken away.
    const own = granted.some(({ reader }) => reader === ownReader)
      ? []
      : [{ channel, reader: ownReader, requestedAt: this.#late?.get(channel) ?? beganAt }];
    const streamed = [...own, ...granted].filter((grant) => grant.requestedAt <= at && isStreamed(grant));
    const readers = new Set(streamed.map(({ reader }) => reader));
    if (readers.size === 0) return false;
    this.connection.denied(channel, reason, 'now');
    for (const reader of readers) reader.withdraw(channel);
    return true;
  }

  #answer(channel: string): Promise<boolean> {
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

function isStreamed({ channel, reader }: Pick<Grant, 'channel' | 'reader'>): boolean {
  return reader.position.of(channel)?.isEnded === false;
}
