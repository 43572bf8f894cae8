import { noAnswer, notSent, reasonOf, SseError, type BackplaneCall } from '../../sse.errors.js';
import { NotNow } from '../common/remote-calls.js';
import { NotConnected, RefusedByRedis } from './clients/redis-client.js';

/** The oldest major version that can run our scripts. */
const LEAST_VERSION = 7;

/**
 * Errors of a server that is, at least for now, the wrong one: a replica since a failover, a server that is starting, or
 * one of a Cluster that no longer has the keys, or not all of them yet.
 */
const WRONG_SERVER = /^(READONLY|MASTERDOWN|LOADING|NOREPLICAS|CLUSTERDOWN|MOVED|ASK|TRYAGAIN)\b/;

/** The server at hand did nothing, as it is the wrong one. The connection to it counts as lost. */
export class WrongServer extends Error {}

/** A server that no waiting makes usable. The message follows on its address: what is wrong, and the remedy. */
export class Unsupported extends Error {}

/** @throws Unsupported, WrongServer if the server with this answer to HELLO cannot be used */
export function checkServer(hello: ReadonlyMap<string, string>, prefix: string): void {
  const mode = hello.get('mode');
  if (mode === 'sentinel')
    throw new Unsupported(
      'is a Sentinel, and was given as one server. Give { name, sentinelRootNodes } as "connection", or a client of ioredis that has "sentinels".',
    );
  if (mode === 'cluster' && !prefix.includes('{'))
    throw new Unsupported(
      'is a server of a Cluster, and was given as one server. Give { rootNodes } as "connection", or a Cluster of ioredis as "client".',
    );
  const version = hello.get('version') ?? 'unknown';
  if (!(Number.parseInt(version) >= LEAST_VERSION))
    throw new Unsupported(`has version ${version}, and at least ${LEAST_VERSION}.0 is needed. Upgrade it.`);
  if (hello.get('role') !== 'master') throw new WrongServer('it is a replica');
}

/** Whether Redis refuses only for now: it will accept later, or another server at the same address will. */
export const isPassing = (error: unknown): error is RefusedByRedis =>
  error instanceof RefusedByRedis && WRONG_SERVER.test(error.message);

/** Node's AggregateError has no message itself, but its errors have. */
export const messageOf = (error: unknown): string =>
  reasonOf(error instanceof AggregateError ? error.errors[0] : error);

/** Says in one line why Redis cannot be used, and the remedy. */
export function startFailure(address: string, cause: unknown): SseError {
  const message = messageOf(cause);
  let text = `cannot be reached: ${message}. Start it there, or correct the address in the options.`;
  if (cause instanceof Unsupported) text = message;
  else if (/^WRONGPASS|AUTH/.test(message))
    text = `does not accept the password: ${message.replace(/\.?$/, '.')} Correct it in the URL or the connection options.`;
  else if (cause instanceof WrongServer)
    text = 'is a replica, on which nothing can be published. Give the address of the primary.';
  else if (isPassing(cause))
    text = `cannot be used yet: ${message}. Start the application again when it can.`;
  else if (cause instanceof RefusedByRedis)
    text = `refuses to be used: ${message}. Give the user the rights that the guide to backplanes lists under "Rights".`;
  return new SseError('BACKPLANE_FAILED', `Redis at ${address} ${text}`, { cause });
}

/** Turns the error of a call into one that says whether the call had an effect, or is to be sent again. */
const failed =
  (call: BackplaneCall) =>
  (error: unknown): never => {
    const message = reasonOf(error);
    if (error instanceof WrongServer) throw new NotNow(message);
    // The connection has just been lost, and nobody was told yet.
    if (error instanceof NotConnected) throw new NotNow('There is no connection to Redis.');
    // A script that fails has done nothing.
    if (error instanceof RefusedByRedis) throw notSent(call, `Redis refused: ${message}.`);
    throw noAnswer(call, `The connection to Redis broke before the answer (${message}).`);
  };

export const publishFailed = failed('publish');
export const callFailed = failed('other');
