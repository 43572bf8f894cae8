import { Injectable } from '@nestjs/common';
import { ScatterGather } from '../cluster/scatter-gather.js';

/** What a client wants to be changed of the channels that it streams. */
export interface ChannelsChange {
  readonly join: readonly string[];
  readonly leave: readonly string[];
  /** Where it is in channels to be joined, by their names: an EventSource cannot say so in a header. */
  readonly positions: Readonly<Record<string, string>>;
}

/** What came of it. */
export interface ChangedChannels {
  /** Of those to be joined, what is streamed now, also if it was before. */
  readonly joined: readonly string[];
  /**
   * Where the client is in those, by their names; without those that have no history, or whose state it waits for.
   * It joins them from there if it is cut off before it has read its stream.
   */
  readonly positions: Readonly<Record<string, string>>;
  /** Of those to be joined, what the client may not stream. */
  readonly denied: readonly string[];
  /** Of those to be left, what was streamed. */
  readonly left: readonly string[];
  /** All that is streamed now. */
  readonly channels: readonly string[];
}

/** Why a change was refused. */
export interface RefusedChange {
  /**
   * `full`: the response takes no more channels. `often`: there were many just now. `away`: a channel, or the
   * stream, cannot be reached at present; part of the change may have been made.
   */
  readonly refused: 'full' | 'often' | 'away';
  readonly message: string;
  /** Milliseconds after which it may be tried again. */
  readonly retry?: number;
}

/** A request to change the channels of an open stream, which may be on any instance. */
export interface ChangeRequest {
  /** The id of its connection. */
  readonly connection: string;
  /** Who asks, as `identify` says. */
  readonly user?: string | undefined;
  readonly change: ChannelsChange;
}

/** An open stream that channels can be joined to. */
export interface JoinableStream {
  /** Whose it is, as `identify` says; undefined for somebody unknown. */
  readonly user: string | undefined;
  change(change: ChannelsChange): Promise<ChangedChannels | RefusedChange>;
}

/** The open streams of this process that channels can be joined to, by the ids of their connections. */
@Injectable()
export class JoinableStreams {
  readonly #streams = new Map<string, JoinableStream>();

  constructor(private readonly instances: ScatterGather) {
    instances.answer(
      'channels',
      (request: ChangeRequest) => this.change(request)?.then((outcome) => [outcome]) ?? [],
    );
  }

  add(connection: string, stream: JoinableStream): void {
    this.#streams.set(connection, stream);
  }

  delete(connection: string): void {
    this.#streams.delete(connection);
  }

  /**
   * Changes the channels of a stream; undefined if it is not here, or somebody else's. The stream of somebody
   * unknown is that of whoever knows its id.
   */
  change({ connection, user, change }: ChangeRequest): Promise<ChangedChannels | RefusedChange> | undefined {
    const stream = this.#streams.get(connection);
    if (!stream || (stream.user !== undefined && stream.user !== user)) return undefined;
    return stream.change(change);
  }

  /**
   * Changes the channels of an open stream, on whichever instance it is.
   *
   * @param time milliseconds that another instance may take
   * @returns undefined if there is none, or it is somebody else's
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async changeAnywhere(
    request: ChangeRequest,
    time: number,
  ): Promise<ChangedChannels | RefusedChange | undefined> {
    return this.change(request) ?? this.instances.askOne('channels', request, time);
  }
}
