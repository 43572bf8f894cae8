import type { Channels } from './channels/channels.js';
import type { SseCluster } from './cluster/cluster.js';
import type { SseBackplane } from './log/backplane.js';
import type { Presence } from './presence/presence.js';

/**
 * The last step of closing the application. Before it, pipes tell their listeners that they end (pipes/), and then
 * every response is ended (http/drain.ts).
 */
export class Shutdown {
  constructor(
    private readonly channels: Channels,
    private readonly presence: Presence,
    private readonly cluster: SseCluster,
    private readonly backplane: SseBackplane,
  ) {}

  /** Ends the streams that are in no response, and leaves the other instances. Nothing can be published afterwards. */
  async run(): Promise<void> {
    this.channels.close();
    this.presence.close();
    await this.cluster.close();
    await this.backplane.close();
  }
}
