import { createHash, createHmac, scryptSync, timingSafeEqual } from 'node:crypto';
import { ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { CHAT_OPTIONS, type ChatOptions } from './chat.module-definition.js';

/** The room behind the password. */
const LOCKED = 'staff';

/** Lifetime of a key in seconds. */
const KEY_TIME = 12 * 60 * 60;

const COOKIE = 'chat-key';

/** The cookie of a key. Browsers send it by themselves, also with the request of an EventSource. */
export interface KeyCookie {
  readonly name: string;
  readonly value: string;
  /** Seconds. */
  readonly maxAge: number;
}

/**
 * Makes and checks keys of the room. A key is its own expiry, signed: the server stores no keys, and all instances
 * with the same password accept each other's.
 */
@Injectable()
export class RoomKeys {
  readonly #password: string | undefined;
  readonly #secret: Buffer | undefined;

  constructor(@Inject(CHAT_OPTIONS) { password }: ChatOptions) {
    this.#password = password;
    // Slow on purpose: the holder of a key could otherwise try passwords offline until a signature matches.
    this.#secret = password === undefined ? undefined : scryptSync(password, `room ${LOCKED}`, 32);
  }

  /** Whether the cookies of a request allow its sender to enter a room. */
  isOpen(room: string, cookies: string | undefined): boolean {
    if (room !== LOCKED) return true;
    const [, expiry = '', signature = ''] =
      new RegExp(`(?:^|; ?)${COOKIE}=(\\d{1,16})\\.([\\w-]+)(?:;|$)`).exec(cookies ?? '') ?? [];
    return Number(expiry) > Date.now() && isSame(signature, this.#sign(expiry));
  }

  /** @throws ForbiddenException if the password is not the room's */
  give(room: string, password: string): KeyCookie {
    if (room !== LOCKED) throw new ForbiddenException(`the room ${room} has no password`);
    if (this.#password === undefined) {
      throw new ForbiddenException('nobody may enter: the server was started without CHAT_PASSWORD');
    }
    if (!isSame(password, this.#password)) throw new ForbiddenException('this is not the password');
    const expiry = String(Date.now() + KEY_TIME * 1_000);
    return { name: COOKIE, value: `${expiry}.${this.#sign(expiry)}`, maxAge: KEY_TIME };
  }

  #sign(expiry: string): string | undefined {
    return this.#secret && createHmac('sha256', this.#secret).update(expiry).digest('base64url');
  }
}

/** Compares in constant time: it reveals neither where the two differ nor how long they are. */
function isSame(given: string, expected: string | undefined): boolean {
  return expected !== undefined && timingSafeEqual(digest(given), digest(expected));
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
