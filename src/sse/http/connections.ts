import { Injectable } from '@nestjs/common';
import { checkObject, stringOf } from '../validate.js';
import { ConnectionFeatures } from './connection-part.js';
import { Heartbeat } from './heartbeat.js';
import type { SseConnection } from './sse-connection.js';

/** An open stream, as `hub.connections()` tells of it. */
export interface ConnectionInfo extends ConnectionDetails {
  /** The instance of the application that it is on. */
  readonly instance: string;
}

/** An open stream, as its own instance knows it. */
export interface ConnectionDetails {
  /** An unguessable name that the package makes. */
  readonly id: string;
  readonly connectedAt: Date;
  /** The channels that it streams now. */
  readonly channels: readonly string[];
  /** The address of the request, without the query. */
  readonly path: string;
  /** The address of the socket: behind a proxy the proxy's. */
  readonly address: string | undefined;
  /** The user, as `identify` names it. */
  readonly user?: string;
}

/** Selects connections: all given fields must match. An empty filter selects all. */
export interface ConnectionFilter {
  readonly id?: string;
  readonly channel?: string;
  /** A user, as `identify` names it. */
  readonly user?: string;
}

/** Filters that one connection may wait with; one that is to wait with more is ended. */
const MAX_WAITING = 100;

/**
 * The open streams of this process, with the features that take part in them. Each counts from the moment in which it
 * is let in, so there are some of which it is not known yet who they belong to.
 */
@Injectable()
export class Connections {
  readonly #open = new Set<SseConnection>();
  /** Connections of which it is not known yet whether they match, with the filters of those that are to end. */
  readonly #waiting = new Map<SseConnection, ConnectionFilter[]>();

  constructor(
    private readonly heartbeat: Heartbeat,
    readonly features: ConnectionFeatures,
  ) {}

  get size(): number {
    return this.#open.size;
  }

  add(connection: SseConnection): void {
    this.#open.add(connection);
    this.heartbeat.add(connection);
  }

  delete(connection: SseConnection): void {
    this.#open.delete(connection);
    this.#waiting.delete(connection);
    this.heartbeat.delete(connection);
  }

  /** It is known now who a connection belongs to, and what it streams. */
  opened(connection: SseConnection): void {
    const filters = this.#waiting.get(connection);
    if (!filters) return;
    this.#waiting.delete(connection);
    if (filters.some((filter) => matches(connection, filter))) connection.end();
  }

  /**
   * Ends those that match and had begun by then. Where it is not known yet whether one matches, it is ended when that
   * is known.
   *
   * @param at `performance.now()`
   * @returns how many were ended
   * @throws SseError `INVALID_OPTIONS`
   */
  end(filter: ConnectionFilter, at: number): number {
    const ended = new Set(this.matching(filter).filter(({ beganAt }) => beganAt <= at));
    for (const connection of [...this.#open]) {
      if (ended.has(connection)) connection.end();
      else if (!connection.isOpen && connection.beganAt <= at) this.#wait(connection, filter);
    }
    return ended.size;
  }

  /** Ends every one. @param retry gives the milliseconds after which a client shall come back */
  endAll(retry: () => number): void {
    for (const connection of [...this.#open]) connection.end(retry());
  }

  #wait(connection: SseConnection, filter: ConnectionFilter): void {
    const filters = this.#waiting.get(connection) ?? [];
    if (filters.push(filter) > MAX_WAITING) connection.end();
    else this.#waiting.set(connection, filters);
  }

  /** @throws SseError `INVALID_OPTIONS` for what is no condition: it must not match everybody */
  matching(filter: ConnectionFilter): SseConnection[] {
    checkObject(filter, ['id', 'channel', 'user'], 'A filter of connections');
    for (const [name, value] of Object.entries(filter)) stringOf(name, value);
    return [...this.#open].filter((connection) => matches(connection, filter));
  }
}

function matches(connection: SseConnection, { id, channel, user }: ConnectionFilter): boolean {
  return (
    (id === undefined || connection.isNamed(id)) &&
    (channel === undefined || connection.streams(channel)) &&
    (user === undefined || connection.identity?.user === user)
  );
}
