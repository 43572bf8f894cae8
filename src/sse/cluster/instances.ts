import type { Channels } from '../channels/channels.js';
import type { SseCluster } from './cluster.js';
import type {
  ConnectionDetails,
  ConnectionFilter,
  ConnectionInfo,
  Connections,
} from '../http/connections.js';
import type {
  ChangedChannels,
  ChangeRequest,
  JoinableStreams,
  RefusedChange,
} from '../endpoint/joinable-streams.js';
import { Orders, type OrderOutcome } from './orders.js';
import { ScatterGather } from './scatter-gather.js';
import type { SseSettings } from '../sse.settings.js';

/** What one instance asks of the others. */
type Question =
  | { readonly about: 'subscribers'; readonly channel: string }
  | { readonly about: 'connections'; readonly filter: ConnectionFilter }
  | ({ readonly about: 'channels' } & ChangeRequest);

/** What is open in this process and in the others: what is asked for is answered by each of them. */
export class Instances {
  readonly #others: ScatterGather<Question>;
  readonly #orders: Orders;

  constructor(
    private readonly cluster: SseCluster,
    private readonly channels: Channels,
    private readonly open: Connections,
    private readonly joinable: JoinableStreams,
    settings: SseSettings,
  ) {
    this.#orders = new Orders(cluster, open, settings);
    this.#others = new ScatterGather(cluster, (question) => this.#answer(question));
  }

  async subscriberCount(channel: string, everywhere: boolean): Promise<number> {
    const here = this.channels.subscriberCount(channel);
    return everywhere ? here + (await this.#sum({ about: 'subscribers', channel })) : here;
  }

  async connections(filter: ConnectionFilter, everywhere: boolean): Promise<ConnectionInfo[]> {
    const here = this.#detailsOf(filter).map((details) => infoOf(details, this.cluster.instance));
    if (!everywhere) return here;
    const answers = await this.#others.ask({ about: 'connections', filter });
    const elsewhere = answers.flatMap(({ from, items }) =>
      (items as ConnectionDetails[]).map((details) => infoOf(details, from)),
    );
    return [...here, ...elsewhere];
  }

  disconnect(filter: ConnectionFilter): Promise<OrderOutcome> {
    return this.#orders.give({ about: 'disconnect', filter });
  }

  revoke(user: string, channel: string): Promise<OrderOutcome> {
    return this.#orders.give({ about: 'revoke', user, channel });
  }

  /**
   * Changes the channels of an open stream, wherever it is.
   *
   * @param time milliseconds that another instance may take
   * @returns undefined if there is none, or it is somebody else's
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async changeChannels(
    request: ChangeRequest,
    time: number,
  ): Promise<ChangedChannels | RefusedChange | undefined> {
    const here = this.joinable.change(request);
    if (here) return here;
    const answer = await this.#others.askOne({ about: 'channels', ...request }, time);
    return answer as ChangedChannels | RefusedChange | undefined;
  }

  async #sum(question: Question): Promise<number> {
    const answers = await this.#others.ask(question);
    return answers.flatMap(({ items }) => items as number[]).reduce((sum, count) => sum + count, 0);
  }

  /** What this instance says, as JSON values. */
  #answer(question: Question): readonly unknown[] | Promise<readonly unknown[]> {
    switch (question.about) {
      case 'subscribers':
        return [this.channels.subscriberCount(question.channel)];
      case 'connections':
        return this.#detailsOf(question.filter);
      case 'channels':
        return this.joinable.change(question)?.then((outcome) => [outcome]) ?? [];
      default:
        throw new Error(`It is about ${String((question as { about: unknown }).about)}.`);
    }
  }

  #detailsOf(filter: ConnectionFilter): ConnectionDetails[] {
    return this.open.matching(filter).map(({ info }) => info);
  }
}

/** From elsewhere a time comes as text. */
function infoOf(details: ConnectionDetails, instance: string): ConnectionInfo {
  return { ...details, connectedAt: new Date(details.connectedAt), instance };
}
