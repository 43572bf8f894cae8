import { Logger } from '@nestjs/common';
import type { Identity } from '../http/identity.js';
import type { CountedStay, Stay } from './member.js';
import { Stays } from './stays.js';

/** Who streams which channel in this process, with which connections. */
export class PresenceRoster {
  readonly stays = new Stays();
  readonly #connections = new WeakMap<Stay, Set<object>>();
  readonly #logger = new Logger('SseHub');

  /** @param limit members of one channel */
  constructor(private readonly limit: number) {}

  /** @returns the user's stay if it begins with this connection */
  enter(channel: string, identity: Identity, connection: object): Stay | undefined {
    const known = this.stays.get(channel, identity.user);
    if (known) {
      this.#connections.get(known)?.add(connection);
      return undefined;
    }
    if (this.stays.countIn(channel) >= this.limit) return undefined;
    const stay: Stay = { user: identity.user, ...this.#infoOf(identity), since: Date.now() };
    this.stays.set(channel, stay);
    this.#connections.set(stay, new Set([connection]));
    return stay;
  }

  /** @returns whether the user's stay ends with this connection */
  exit(channel: string, user: string, connection: object): boolean {
    const stay = this.stays.get(channel, user);
    const connections = stay && this.#connections.get(stay);
    // One that came when there was no room is none of them.
    if (!connections?.delete(connection) || connections.size > 0) return false;
    this.stays.delete(channel, user);
    return true;
  }

  in(channel: string): CountedStay[] {
    return [...this.stays.in(channel)].map((stay) => ({
      ...stay,
      connections: this.#connections.get(stay)?.size ?? 0,
    }));
  }

  /** As everybody sees it, on this instance too. */
  #infoOf({ user, info }: Identity): { info?: unknown } {
    try {
      const json = JSON.stringify(info) as string | undefined;
      return json === undefined ? {} : { info: JSON.parse(json) as unknown };
    } catch (error) {
      this.#logger.warn(`The info of the user "${user}" is no JSON value and is left out: ${String(error)}`);
      return {};
    }
  }
}
