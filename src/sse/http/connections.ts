import { Injectable } from '@nestjs/common';
import type { Identity } from './identity.js';
import { checkObject, stringOf } from '../validate.js';

/** An open stream, as `hub.connections()` tells of it. */
export interface ConnectionInfo extends ConnectionDetails {
  /** The instance of the application that it is on. */
  readonly instance: string;
}

/** What an instance knows of an open stream of its own. */
export interface ConnectionDetails {
  /** Made by the package, unguessable. */
  readonly id: string;
  readonly connectedAt: Date;
  /** The channels that it streams now. */
  readonly channels: readonly string[];
  /** The address of the request, without the query. */
  readonly path: string;
  /** The client's address as the socket has it: behind a proxy that is the proxy's. */
  readonly address: string | undefined;
  /** Who it belongs to, as `identify` says. */
  readonly user?: string;
}

/** Which connections: those that have all of it. An empty filter is every one. */
export interface ConnectionFilter {
  readonly id?: string;
  readonly channel?: string;
  /** As `identify` names them. */
  readonly user?: string;
}

/** Whose a connection is. */
export interface ConnectionAccess {
  /** Undefined for somebody unknown. */
  readonly identity: Identity | undefined;
  /**
   * Takes a channel away that was asked for by then, and tells the client. What is being decided about it is a
   * no. Where the channel was asked for later, whoever has granted it is asked again.
   *
   * @param at `performance.now()`
   * @returns whether it was taken away
   */
  revoke(channel: string, at: number): boolean;
}

/** An open stream, as the hub needs it. */
export interface OpenConnection {
  readonly info: ConnectionDetails;
  /** Undefined where the application knows no users. */
  readonly access: ConnectionAccess | undefined;
  /** When its request was let in: `performance.now()`. */
  readonly beganAt: number;
  /** Whether it is known whose it is, and what it streams. */
  readonly isOpen: boolean;
  isNamed(id: string): boolean;
  /** Whether it streams a channel, or somebody is being asked whether it may. */
  streams(channel: string): boolean;
  /**
   * Ends the response, after what was published before.
   *
   * @param retry milliseconds after which the client shall come back
   */
  end(retry?: number): void;
}

/** Filters that one connection may wait with; one that is to wait with more is ended. */
const MAX_WAITING = 100;

/** The open streams of this process. */
@Injectable()
export class Connections {
  readonly #open = new Set<OpenConnection>();
  /** Whom to end, as was said while it was not known of these whether they are among them. */
  readonly #waiting = new Map<OpenConnection, ConnectionFilter[]>();

  get size(): number {
    return this.#open.size;
  }

  add(connection: OpenConnection): void {
    this.#open.add(connection);
  }

  delete(connection: OpenConnection): void {
    this.#open.delete(connection);
    this.#waiting.delete(connection);
  }

  /** It is known now whose a connection is, and what it streams. */
  opened(connection: OpenConnection): void {
    const filters = this.#waiting.get(connection);
    if (!filters) return;
    this.#waiting.delete(connection);
    if (filters.some((filter) => matches(connection, filter))) connection.end();
  }

  /**
   * Ends those that match and had begun by then. Of which it is not known yet whether they match, they are
   * ended when it is.
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

  #wait(connection: OpenConnection, filter: ConnectionFilter): void {
    const filters = this.#waiting.get(connection) ?? [];
    if (filters.push(filter) > MAX_WAITING) connection.end();
    else this.#waiting.set(connection, filters);
  }

  /** @throws SseError `INVALID_OPTIONS` for what is no condition: it must not match everybody */
  matching(filter: ConnectionFilter): OpenConnection[] {
    checkObject(filter, ['id', 'channel', 'user'], 'A filter of connections');
    for (const [name, value] of Object.entries(filter)) stringOf(name, value);
    return [...this.#open].filter((connection) => matches(connection, filter));
  }
}

function matches(connection: OpenConnection, { id, channel, user }: ConnectionFilter): boolean {
  return (
    (id === undefined || connection.isNamed(id)) &&
    (channel === undefined || connection.streams(channel)) &&
    (user === undefined || connection.access?.identity?.user === user)
  );
}
