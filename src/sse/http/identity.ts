import { UnauthorizedException } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import { checkObject } from '../validate.js';
import { isThenable } from '../values.js';

/** The user that a connection belongs to. */
export interface Identity {
  /** The name by which the application knows the user, the same on all of the user's connections. */
  readonly user: string;
  /** Any JSON value that others may know of the user: it is part of the presence. */
  readonly info?: unknown;
  /** The time at which the connection ends, such as the expiry of a token: milliseconds since 1970, or a Date. */
  readonly expiresAt?: number | Date;
}

/**
 * Names the user of a connection. It is called after the guards, and before the method.
 *
 * @param request the adapter's own, with all that guards have put on it
 * @returns undefined for an unknown client
 * @throws an error of its own, which is an ordinary HTTP error: no stream begins
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application knows the type of its adapter's request
export type Identify = (request: any) => Identity | undefined | Promise<Identity | undefined>;

/** Knows whose a request is: for the streams, and for requests that are about them. */
export class Identification {
  constructor(private readonly identify: Identify | undefined) {}

  /** Whether clients may have a user. */
  get knowsUsers(): boolean {
    return this.identify !== undefined;
  }

  /**
   * @param request as the adapter has it
   * @returns a Promise only where the application's `identify` gives one
   * @throws what `identify` throws; SseError `INVALID_OPTIONS`; UnauthorizedException. A Promise rejects with it
   */
  of(request: object): Identity | undefined | Promise<Identity | undefined> {
    const identity = this.identify?.(request);
    return isThenable(identity) ? Promise.resolve(identity).then(checked) : checked(identity);
  }
}

function checked(identity: Identity | undefined): Identity | undefined {
  if (identity === undefined) return undefined;
  checkObject(identity, ['user', 'info', 'expiresAt'], 'What identify() returns');
  if (typeof identity.user !== 'string' || identity.user === '') {
    throw new SseError('INVALID_OPTIONS', 'identify() gives a user as a string of at least one character.');
  }
  const { expiresAt } = identity;
  if (expiresAt === undefined) return identity;
  if ((typeof expiresAt !== 'number' && !(expiresAt instanceof Date)) || Number.isNaN(Number(expiresAt))) {
    throw new SseError(
      'INVALID_OPTIONS',
      'identify() gives expiresAt as a Date, or as milliseconds since 1970. Those of a JWT are seconds.',
    );
  }
  if (Number(expiresAt) <= Date.now())
    throw new UnauthorizedException('The identity of the client has expired.');
  return identity;
}
