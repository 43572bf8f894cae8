import type { Channels } from '../channels.js';
import type { SseCluster } from './cluster.js';
import type { ConnectionDetails, ConnectionFilter, ConnectionInfo, Connections } from './connections.js';
import type { ChangedChannels, ChangeRequest, JoinableStreams, RefusedChange } from './joinable-streams.js';
import { Survey } from './survey.js';

/** What one instance asks of the others. */
type Question =
  | { readonly about: 'subscribers'; readonly channel: string }
  | { readonly about: 'connections' | 'disconnect'; readonly filter: ConnectionFilter }
  | { readonly about: 'revoke'; readonly user: string; readonly channel: string }
  | ({ readonly about: 'channels' } & ChangeRequest);

/** What is open in this process and in the others: what is asked for is answered by each of them. */
export class Instances {
  readonly #others: Survey<Question>;

  constructor(
    private readonly cluster: SseCluster,
    private readonly channels: Channels,
    private readonly open: Connections,
    private readonly joinable: JoinableStreams,
  ) {
    this.#others = new Survey(cluster, (question) => this.#answer(question));
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

  async disconnect(filter: ConnectionFilter): Promise<number> {
    const here = this.#end(filter);
    // An id is on one instance only.
    if (filter.id !== undefined && here > 0) return here;
    return here + (await this.#sum({ about: 'disconnect', filter }));
  }

  async revoke(user: string, channel: string): Promise<number> {
    return this.#revoke(user, channel) + (await this.#sum({ about: 'revoke', user, channel }));
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
      case 'disconnect':
        return [this.#end(question.filter)];
      case 'revoke':
        return [this.#revoke(question.user, question.channel)];
      case 'channels':
        return this.joinable.change(question)?.then((outcome) => [outcome]) ?? [];
      default:
        throw new Error(`It is about ${String((question as { about: unknown }).about)}.`);
    }
  }

  #detailsOf(filter: ConnectionFilter): ConnectionDetails[] {
    return this.open.matching(filter).map(({ info }) => info);
  }

  #revoke(user: string, channel: string): number {
    return this.open.matching({ user }).filter((connection) => connection.access?.revoke(channel)).length;
  }

  #end(filter: ConnectionFilter): number {
    const matching = this.open.matching(filter);
    for (const connection of matching) connection.end();
    return matching.length;
  }
}

/** From elsewhere a time comes as text. */
function infoOf(details: ConnectionDetails, instance: string): ConnectionInfo {
  return { ...details, connectedAt: new Date(details.connectedAt), instance };
}
