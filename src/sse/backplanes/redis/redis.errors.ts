import { noAnswer, notSent, reasonOf, SseError, type BackplaneCall } from '../../sse.errors.js';
import { NotNow } from '../common/remote-calls.js';
import { NotConnected, RefusedByRedis } from './clients/redis-client.js';

/** The oldest major version whose scripts can do what ours do. */
const LEAST_VERSION = 7;

/**
 * Answers of a server that is not, or not at present, the one to ask: a replica since a failover, one that starts, or
 * one of a Cluster that has the keys no more, or not all of them yet.
 */
const WRONG_SERVER = /^(READONLY|MASTERDOWN|LOADING|NOREPLICAS|CLUSTERDOWN|MOVED|ASK|TRYAGAIN)\b/;

/** The server at hand did nothing, as it is the wrong one. The connection to it counts as lost. */
export class WrongServer extends Error {}

/** A server that will not be the right one by itself. */
export class Unsupported extends Error {
  /** @param tell what it is and what to do about it, given its address */
  constructor(readonly tell: (address: string) => string) {
    super('the server is not supported');
  }
}

const ADVICE = {
  'a Sentinel':
    'Give { name, sentinelRootNodes } as "connection", or a client of ioredis that has "sentinels".',
  'a server of a Cluster': 'Give { rootNodes } as "connection", or a Cluster of ioredis as "client".',
};

/** @throws Unsupported, WrongServer if the server with this answer to HELLO cannot be used */
export function checkServer(hello: ReadonlyMap<string, string>, prefix: string): void {
  const mode = hello.get('mode');
  if (mode === 'sentinel') throw givenAsOne('a Sentinel');
  if (mode === 'cluster' && !prefix.includes('{')) throw givenAsOne('a server of a Cluster');
  const version = hello.get('version') ?? 'unknown';
  if (!(Number.parseInt(version) >= LEAST_VERSION))
    throw new Unsupported(
      (address) =>
        `Redis at ${address} has version ${version}, and at least ${LEAST_VERSION}.0 is needed. Upgrade it.`,
    );
  if (hello.get('role') !== 'master') throw new WrongServer('it is a replica');
}

const givenAsOne = (what: keyof typeof ADVICE): Unsupported =>
  new Unsupported(
    (address) => `Redis at ${address} is ${what}, and was given as one server. ${ADVICE[what]}`,
  );

/** Whether Redis refuses for now: it will accept later, or another server at the same address will. */
export const isPassing = (error: unknown): error is RefusedByRedis =>
  error instanceof RefusedByRedis && WRONG_SERVER.test(error.message);

/** An AggregateError of Node has no message, but the errors that it is made of have. */
export const messageOf = (error: unknown): string =>
  reasonOf(error instanceof AggregateError ? error.errors[0] : error);

/** The error of the start, in one line that says what is wrong with the server or the options. */
export function startFailure(address: string, cause: unknown): SseError {
  const message = messageOf(cause);
  let text = `Redis at ${address} cannot be reached: ${message}. Start it there, or correct the address in the options.`;
  if (cause instanceof Unsupported) text = cause.tell(address);
  else if (/^WRONGPASS|AUTH/.test(message))
    text = `Redis at ${address} does not accept the password: ${message.replace(/\.?$/, '.')} Correct it in the URL or the connection options.`;
  else if (cause instanceof WrongServer)
    text = `Redis at ${address} is a replica, on which nothing can be published. Give the address of the primary.`;
  else if (isPassing(cause))
    text = `Redis at ${address} cannot be used yet: ${message}. Start the application again when it can.`;
  else if (cause instanceof RefusedByRedis)
    text = `Redis at ${address} refuses to be used: ${message}. Give the user the rights that the guide to backplanes lists under "Rights".`;
  return new SseError('BACKPLANE_FAILED', text, { cause });
}

/** Turns the error of a call into one that says whether the call had an effect, and whether it is to be sent again. */
const failed =
  (call: BackplaneCall) =>
  (error: unknown): never => {
    const message = reasonOf(error);
    if (error instanceof WrongServer) throw new NotNow(message);
    // The connection is lost, which the others have not heard yet.
    if (error instanceof NotConnected) throw new NotNow('There is no connection to Redis.');
    // A script that fails has done nothing.
    if (error instanceof RefusedByRedis) throw notSent(call, `Redis refused: ${message}.`);
    throw noAnswer(call, `The connection to Redis broke before the answer (${message}).`);
  };

export const publishFailed = failed('publish');
export const callFailed = failed('other');
