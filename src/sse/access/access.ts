import type { SseSettings } from '../sse.settings.js';
import { Authorization } from './authorization.js';
import { Expiries } from './expiries.js';
import type { ChannelHandlers } from '../handlers/channel-handlers.js';
import type { Identify } from '../http/identity.js';

/** How this application knows its users, and what they may stream. */
export class Access {
  readonly authorization: Authorization;
  /** When the identities of open connections expire. */
  readonly expiries = new Expiries();
  /** Milliseconds after which open streams are asked about again; 0 for never. */
  readonly reauthorize: number;

  constructor(
    private readonly settings: SseSettings,
    private readonly handlers: ChannelHandlers,
    readonly identify: Identify | undefined,
  ) {
    this.authorization = new Authorization(handlers, settings.authorizeTime, settings.unguarded);
    this.reauthorize = settings.reauthorize;
  }

  /** Whether connections have anything to ask or to be asked; where not, none pays for it. */
  get isUsed(): boolean {
    const denies = this.settings.unguarded === 'deny';
    return denies || this.identify !== undefined || this.handlers.has('authorize');
  }
}
