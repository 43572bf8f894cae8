import { UnauthorizedException } from '@nestjs/common';
import type { Access } from '../hub/access.js';
import { checkIdentity, type Identity } from '../hub/identity.js';
import type { StreamAccess } from '../hub/stream-context.js';
import type { StreamReader } from '../hub/stream-reader.js';
import { isThenable } from './sse-route.js';

/** Why a client does not get a channel, or no longer. */
export type DenialReason = 'forbidden' | 'revoked';

/** What is asked of a connection that has to do with users. */
export interface AccessOwner {
  /** The request, as the adapter has it. */
  readonly request: unknown;
  readonly reader: StreamReader;
  readonly isOpen: boolean;
  /** Tells its client something that is no event of a channel. */
  tell(type: string, data: object): void;
  error(error: unknown): void;
  end(): void;
}

/** The longest time that a timer of Node takes. */
const LONGEST_TIMER = 2_147_483_647;

/** Who a connection belongs to, what it may stream, and for how long. */
export class ConnectionAccess implements StreamAccess {
  identity: Identity | undefined;
  #identified: Promise<void> | undefined;
  /** What is being decided now. */
  readonly #pending = new Set<{ readonly channel: string; isRevoked: boolean }>();
  /** What was granted by somebody who was asked. */
  readonly #guarded = new Set<string>();
  /** What it is to be told when it is open. */
  readonly #denied: string[] = [];
  #expiry: NodeJS.Timeout | undefined;
  #review: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly owner: AccessOwner,
    private readonly access: Access,
  ) {}

  /**
   * Asks who it is. Nothing is decided, nor sent, before that is known. What `identify()` throws is the
   * request's error, and so is a time that is over.
   */
  identify(): void {
    try {
      const identity = this.access.identify?.(this.owner.request);
      if (isThenable(identity)) this.#identifyLater(identity);
      else this.#identifiedAs(identity);
    } catch (error) {
      this.owner.error(error);
    }
  }

  /** Whether it may stream a channel; undefined where nobody needs to be asked. Never rejects. */
  mayStream(channel: string): Promise<boolean> | undefined {
    return this.access.authorization.guards(channel) ? this.#decide(channel) : undefined;
  }

  denied(channel: string): void {
    if (this.owner.isOpen) this.#tellDenied(channel, 'forbidden');
    else this.#denied.push(channel);
  }

  /** Whether it was denied all that it asked for. */
  get isRefused(): boolean {
    return this.#denied.length > 0 && !this.owner.reader.isUsed;
  }

  /** Its client can be told now. */
  opened(): void {
    for (const channel of this.#denied.splice(0)) this.#tellDenied(channel, 'forbidden');
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
  }

  #identifyLater(identity: PromiseLike<Identity | undefined>): void {
    const { owner } = this;
    owner.reader.hold();
    this.#identified = Promise.resolve(identity).then((known) => {
      this.#identifiedAs(known);
    });
    this.#identified
      .catch((error: unknown) => {
        owner.error(error);
      })
      .finally(() => {
        owner.reader.proceed();
      });
  }

  #identifiedAs(identity: Identity | undefined): void {
    this.identity = checkIdentity(identity);
    if (identity?.expiresAt === undefined || this.#isClosed) return;
    const at = Number(identity.expiresAt);
    if (at <= Date.now()) throw new UnauthorizedException('What identifies the client has expired.');
    this.#expireAt(at);
  }

  #expireAt(at: number): void {
    const left = at - Date.now();
    this.#expiry = setTimeout(
      () => {
        if (left > LONGEST_TIMER) this.#expireAt(at);
        else this.#expire();
      },
      Math.min(left, LONGEST_TIMER),
    ).unref();
  }

  #expire(): void {
    this.owner.tell('expired', {});
    this.owner.end();
  }

  #withdraw(channel: string, reason: DenialReason): boolean {
    const { reader } = this.owner;
    if (this.#isClosed || !reader.position.names.includes(channel)) return false;
    this.#guarded.delete(channel);
    this.#tellDenied(channel, reason);
    return reader.withdraw(channel);
  }

  #tellDenied(channel: string, reason: DenialReason): void {
    this.owner.tell('denied', { channel, reason });
  }

  async #decide(channel: string): Promise<boolean> {
    const decision = { channel, isRevoked: false };
    this.#pending.add(decision);
    try {
      await this.#identified;
      const isGranted = await this.#asks(channel);
      if (decision.isRevoked || this.#isClosed || !isGranted) return false;
      this.#guarded.add(channel);
      this.#reviewLater();
      return true;
    } catch {
      return false; // nobody knows who it is, and the connection has said so
    } finally {
      this.#pending.delete(decision);
    }
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
    const streamed = this.owner.reader.position.names;
    for (const channel of this.#guarded) if (!streamed.includes(channel)) this.#guarded.delete(channel);
    await Promise.all(
      [...this.#guarded].map(async (channel) => {
        if (!(await this.#asks(channel))) this.#withdraw(channel, 'forbidden');
      }),
    );
    this.#review = undefined;
    if (this.#guarded.size > 0) this.#reviewLater();
  }
}
