import { UnauthorizedException } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import { checkObject } from '../validate.js';

/** Who a connection belongs to. */
export interface Identity {
  /** The name by which the application knows the user, the same on all of the user's connections. */
  readonly user: string;
  /** What others may know of the user, any JSON value: it is part of the presence. */
  readonly info?: unknown;
  /** When the connection is to end, as that of the user's token: milliseconds since 1970, or a Date. */
  readonly expiresAt?: number | Date;
}

/**
 * Says who a connection belongs to. It is asked after the guards, and before the method.
 *
 * @param request as the adapter has it, with what guards have left on it
 * @returns undefined for somebody unknown. What it throws is an ordinary HTTP error, and no stream begins
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- which adapter's request it is, the application knows
export type Identify = (request: any) => Identity | undefined | Promise<Identity | undefined>;

/** @throws SseError `INVALID_OPTIONS` for what is no identity */
export function checkIdentity(identity: Identity | undefined): Identity | undefined {
  if (identity === undefined) return undefined;
  checkObject(identity, ['user', 'info', 'expiresAt'], 'What identify() returns');
  if (typeof identity.user !== 'string' || identity.user === '') {
    throw new SseError('INVALID_OPTIONS', 'identify() gives a user as a string of at least one character.');
  }
  const { expiresAt } = identity;
  const isTime = typeof expiresAt === 'number' || expiresAt instanceof Date;
  if (expiresAt !== undefined && (!isTime || Number.isNaN(Number(expiresAt)))) {
    throw new SseError(
      'INVALID_OPTIONS',
      'identify() gives expiresAt as a Date, or as milliseconds since 1970. Those of a JWT are seconds.',
    );
  }
  return identity;
}

/** Where the time of an identity is over it is none. @throws UnauthorizedException */
export function refuseExpired(identity: Identity | undefined): void {
  if (identity?.expiresAt !== undefined && Number(identity.expiresAt) <= Date.now())
    throw new UnauthorizedException('What identifies the client has expired.');
}
