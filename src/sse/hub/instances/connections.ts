import { Injectable } from '@nestjs/common';
import type { Identity } from '../access/identity.js';
import { checkObject, stringOf } from '../../sse.settings.js';

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

/** How far a question goes. */
export interface Reach {
  /** Ask all instances of the application, not this one only. @defaultValue false */
  readonly everywhere?: boolean;
}

/** Whose a connection is. */
export interface ConnectionAccess {
  /** Undefined for somebody unknown. */
  readonly identity: Identity | undefined;
  /**
   * Takes a channel away, and tells the client. What is being decided about the channel is a no.
   *
   * @returns whether it was streamed
   */
  revoke(channel: string): boolean;
}

/** An open stream, as the hub needs it. */
export interface OpenConnection {
  readonly info: ConnectionDetails;
  /** Undefined where the application knows no users. */
  readonly access: ConnectionAccess | undefined;
  isNamed(id: string): boolean;
  streams(channel: string): boolean;
  /** Ends the response, after what was published before. */
  end(): void;
}

/** The open streams of this process. */
@Injectable()
export class Connections {
  readonly #open = new Set<OpenConnection>();

  get size(): number {
    return this.#open.size;
  }

  add(connection: OpenConnection): void {
    this.#open.add(connection);
  }

  delete(connection: OpenConnection): void {
    this.#open.delete(connection);
  }

  /** @throws SseError `INVALID_OPTIONS` for what is no condition: it must not match everybody */
  matching(filter: ConnectionFilter): OpenConnection[] {
    checkObject(filter, ['id', 'channel', 'user'], 'A filter of connections');
    for (const [name, value] of Object.entries(filter)) stringOf(name, value);
    const { id, channel, user } = filter;
    return [...this.#open].filter(
      (connection) =>
        (id === undefined || connection.isNamed(id)) &&
        (channel === undefined || connection.streams(channel)) &&
        (user === undefined || connection.access?.identity?.user === user),
    );
  }
}
