import { Injectable } from '@nestjs/common';
import { ScatterGather } from '../cluster/scatter-gather.js';
import { SseError } from '../sse.errors.js';
import type { EndpointStream } from './endpoint-stream.js';

/** A change of the channels of a stream, as its client asks for it. */
export interface JoinsAndLeaves {
  readonly join: readonly string[];
  readonly leave: readonly string[];
  /** Positions of the client in channels to be joined, by channel: an EventSource has no header for them. */
  readonly positions: Readonly<Record<string, string>>;
}

/** The outcome of a change. */
export interface ChangeOutcome {
  /** The channels to be joined that are streamed now, also if they were before. */
  readonly joined: readonly string[];
  /**
   * The positions from which those are streamed, by channel. A client that is cut off before it has read its stream can join the
   * channels again from these. A channel has none without history, if a gap or a snapshot comes first, or if it was streamed before:
   * then the client goes on with the position that it has, or with none.
   */
  readonly positions: Readonly<Record<string, string>>;
  /** The channels to be joined that the client may not stream. */
  readonly denied: readonly string[];
  /** The channels to be left that were streamed. */
  readonly left: readonly string[];
  /** All channels that are streamed now. */
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
  /** The user that asks, as `identify` says. */
  readonly user?: string | undefined;
  readonly change: JoinsAndLeaves;
}

/** The open streams of this process that channels can be joined to, by the ids of their connections. */
@Injectable()
export class JoinableStreams {
  readonly #streams = new Map<string, EndpointStream>();

  constructor(private readonly instances: ScatterGather) {
    instances.answer(
      'channels',
      // An instance without the stream answers with nothing.
      (request: ChangeRequest) => this.change(request)?.then((outcome) => [outcome]) ?? [],
    );
  }

  add(connection: string, stream: EndpointStream): void {
    this.#streams.set(connection, stream);
  }

  delete(connection: string): void {
    this.#streams.delete(connection);
  }

  /**
   * Changes the channels of a stream; undefined if it is not here, or somebody else's. A stream without a user may be
   * changed by whoever knows its id.
   */
  change({ connection, user, change }: ChangeRequest): Promise<ChangeOutcome | RefusedChange> | undefined {
    const stream = this.#streams.get(connection);
    if (!stream || (stream.user !== undefined && stream.user !== user)) return undefined;
    return stream.change(change).catch(refusedAsAway);
  }

  /**
   * Changes the channels of an open stream, on whichever instance it is.
   *
   * @param time milliseconds that another instance may take
   * @returns undefined if there is none, or it is somebody else's
   */
  async changeAnywhere(
    request: ChangeRequest,
    time: number,
  ): Promise<ChangeOutcome | RefusedChange | undefined> {
    const here = this.change(request);
    if (here) return here;
    const elsewhere = this.instances.askOne<ChangeOutcome | RefusedChange>('channels', request, time);
    return elsewhere.catch(refusedAsAway);
  }
}

function refusedAsAway(error: unknown): RefusedChange {
  if (error instanceof SseError) return { refused: 'away', message: error.message };
  throw error;
}
