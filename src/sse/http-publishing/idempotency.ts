import { createHash } from 'node:crypto';
import { BadRequestException, UnprocessableEntityException } from '@nestjs/common';
import { PUBLISH_ID_MEMORY } from '../log/backplane.js';

/** Keys that are remembered. Beyond them the oldest is forgotten before its time. */
const MAX_KEYS = 10_000;

/** As a structured field, which the draft asks for, a string in quotes; many clients leave these out. */
const KEY = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,128})"|([\x21\x23-\x7e]{1,128}))$/;

/** The key of a header, if there is one. @throws BadRequestException */
export function keyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [, quoted, bare] = KEY.exec(header) ?? [];
  const key = quoted ?? bare;
  if (key !== undefined) return key;
  throw new BadRequestException(
    'An Idempotency-Key is a text of 1 to 128 printable ASCII characters in double quotes, such as a UUID.',
  );
}

/**
 * Keys of requests that may be sent again: the header `Idempotency-Key`
 * (draft-ietf-httpapi-idempotency-key-header).
 *
 * A key becomes the `publishId` of what it publishes, together with a hash of the body: the backplane knows it on all
 * instances for {@link PUBLISH_ID_MEMORY}. Another body with the same key is another event, so that none is lost by it; the
 * instance that has had the key refuses it, as the draft asks.
 */
export class IdempotencyKeys {
  /** By key, the oldest first. */
  readonly #bodies = new Map<string, { readonly hash: string; readonly at: number }>();

  /** The `publishId` for a request with a key. @throws UnprocessableEntityException */
  publishIdOf(key: string, body: unknown): string {
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 22);
    const now = performance.now();
    const known = this.#bodies.get(key);
    if (known && known.hash !== hash && now - known.at < PUBLISH_ID_MEMORY)
      throw new UnprocessableEntityException('This Idempotency-Key was used with another body.');
    this.#remember(key, hash, now);
    return `http/${key}/${hash}`;
  }

  /** Nothing was published with a key. */
  forget(key: string): void {
    this.#bodies.delete(key);
  }

  #remember(key: string, hash: string, now: number): void {
    this.#bodies.delete(key); // so that it is the newest
    this.#bodies.set(key, { hash, at: now });
    for (const [oldest, { at }] of this.#bodies) {
      if (this.#bodies.size <= MAX_KEYS && now - at < PUBLISH_ID_MEMORY) return;
      this.#bodies.delete(oldest);
    }
  }
}
