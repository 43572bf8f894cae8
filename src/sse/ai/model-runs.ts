import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { concat, firstValueFrom, isObservable, map, of, timeout, type Observable } from 'rxjs';
import { defineChannel } from '../channels/channel-definition.js';
import { type } from '../channels/event-schemas.js';
import type { SseEvent, SseEventInput } from '../log/sse-event.js';
import type { Source } from '../publishing/published-source.js';
import { SseError } from '../sse.errors.js';
import { SseHub } from '../sse-hub.js';
import type { FormatEvent, ModelFormat, RunFailure } from './formats.js';

/*
 * A run is one answer of a model: a channel of its own, into which its source is piped. A chat has a channel of claims,
 * whose newest one says which run is its present one.
 *
 * Whoever has stored a claim begins its run. Two requests that want the same run claim it with the same `publishId`, so
 * that one claim is stored, on whichever instances they are.
 *
 * A run begins and ends with a comment, which clients pass over: the first shows that it has begun although the model is
 * silent, the last that it has ended.
 */

/** Claims of the runs of a chat. */
const Claims = defineChannel('model-runs/:chat', {
  events: { message: type<Claim>() },
  history: { count: 20 },
  // A run that is longer than this cannot be found any more.
  ttl: 24 * 3_600_000,
});

/** The parts of one run, in its format: for `@AuthorizeChannel()`, and for limits of your own. */
export const ModelRunChannel = defineChannel('model-runs/:chat/:run', {
  history: { count: 100_000, bytes: 16 * 1024 * 1024 },
  replay: 'all',
  ttl: 3_600_000,
});

export const runChannels = [ModelRunChannel, Claims];

const BEGIN = 'begin';
const END = 'end';

/** Milliseconds in which a run that was claimed begins, or its process has ended before it could. */
const BEGIN_TIME = 3_000;
/** Milliseconds after which nobody waits for the beginning of a run. More than the clocks of instances differ. */
const OLD_CLAIM = 60_000;

interface Claim {
  readonly run: string;
  /** A hash of the key that the run was asked for by. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The last event of the run if it is stopped, as the instance that stops it does not know its format. */
  readonly stopped: FormatEvent;
}

/** A run that is asked for. */
export interface ModelRun {
  readonly format: ModelFormat;
  /** The chat that it belongs to. A chat has one present run: a new one takes the place of the one before. */
  readonly chat: string;
  /** Names the request within its chat, such as the id of the message: asked for again, it is the same run. */
  readonly key: string;
  /**
   * The answer to the same request when its run has ended: `give` the answer of that run, or `restart`.
   * @defaultValue 'give'
   */
  readonly whenEnded?: 'give' | 'restart';
  /** Stops the run when nobody has listened for so long: as the option of `hub.pipe()`. @defaultValue never */
  readonly abandonAfter?: number;
}

/** The parts of an answer: an async iterable, a web `ReadableStream`, or an Observable. */
export type Parts = AsyncIterable<unknown> | Observable<unknown> | { getReader(): unknown };

/** Runs of language models that clients find again after a reload, in another tab, and on another instance. */
@Injectable()
export class ModelRuns {
  readonly #logger = new Logger('ModelRuns');

  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  /**
   * Begins a run, or joins the one that the same request has begun.
   *
   * @param ask asks the model. Its `signal` is aborted when the run is stopped, or ends in another way
   * @returns the run from its start, for an `@Sse()` method with `plain: format.plain`
   * @throws SseError as `hub.publish()`
   */
  async start(run: ModelRun, ask: (signal: AbortSignal) => Parts): Promise<Observable<SseEvent>> {
    const { chat } = run;
    const key = createHash('sha256').update(run.key).digest('base64url');
    const present = await this.#present(chat);
    if (present?.key === key) {
      const state = await this.#stateOf(chat, present);
      if (state === 'running' || (state === 'ended' && run.whenEnded !== 'restart'))
        return this.#stream(chat, present.run);
    }
    const claim: Claim = { run: randomUUID(), key, at: Date.now(), stopped: run.format.stopped };
    const claimed = await this.#claim(chat, claim, `${present?.run ?? 'first'}/${key}`);
    if (claimed.run === claim.run) this.#begin(run, claim.run, ask);
    return this.#stream(chat, claimed.run);
  }

  /**
   * The present run of a chat, from its start, for an `@Sse()` method with `plain: format.plain`. Where none is running, the
   * answer is 204.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  async resume(chat: string): Promise<Observable<SseEvent>> {
    const present = await this.#present(chat);
    const isRunning = present && (await this.#stateOf(chat, present)) === 'running';
    // It may end in this moment: then it is given to its end. A channel that nobody publishes to is answered 204.
    return this.#stream(chat, isRunning ? present.run : 'none', 'end');
  }

  /**
   * Stops the present run of a chat, if there is one, on whichever instance it is: its streams end, and the signal of its
   * source is aborted.
   *
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async stop(chat: string): Promise<void> {
    const present = await this.#present(chat);
    if (!present || (await this.#stateOf(chat, present)) !== 'running') return;
    const channel = ModelRunChannel.of({ chat, run: present.run });
    try {
      await this.hub.publish(channel, { ...present.stopped, comment: END });
    } catch (error) {
      if (isCompleted(error)) return;
      throw error;
    }
    await this.hub.complete(channel);
  }

  #stream(chat: string, run: string, ifAbsent: 'wait' | 'end' = 'wait'): Observable<SseEvent> {
    const channel = ModelRunChannel.of({ chat, run });
    return this.hub.stream(channel, { begin: 'anew', replay: 'all', ifAbsent });
  }

  async #present(chat: string): Promise<Claim | undefined> {
    const { events } = await this.hub.history(Claims.of({ chat }), { limit: 1 });
    return events[0]?.data;
  }

  /** @returns the claim that holds: another request may have stored one under this name before */
  async #claim(chat: string, claim: Claim, publishId: string): Promise<Claim> {
    const claims = Claims.of({ chat });
    const id = await this.hub.publish(claims, { data: claim }, { publishId });
    const { events } = await this.hub.history(claims, { upTo: id, limit: 1 });
    return events.find((event) => event.id === id)?.data ?? claim;
  }

  async #stateOf(chat: string, { run, at }: Claim): Promise<'running' | 'ended' | 'absent'> {
    const channel = ModelRunChannel.of({ chat, run });
    const { events } = await this.hub.history(channel, { limit: 1 });
    let [last] = events as readonly (SseEvent | undefined)[];
    if (!last && Date.now() - at < OLD_CLAIM) last = await this.#firstEvent(channel);
    if (!last) return 'absent';
    return last.comment === END ? 'ended' : 'running';
  }

  /** @returns undefined if there is none after a while: the process that has claimed the run has ended */
  #firstEvent(channel: string): Promise<SseEvent | undefined> {
    const events = this.hub.stream(channel, { replay: 1, authorize: false });
    return firstValueFrom(events.pipe(timeout(BEGIN_TIME))).catch(() => undefined);
  }

  #begin({ chat, format, abandonAfter }: ModelRun, run: string, ask: (signal: AbortSignal) => Parts): void {
    const source = (signal: AbortSignal): Source<SseEventInput> => eventsOf(ask(signal), format);
    const error = (failure: RunFailure): SseEventInput => ({ ...format.plain.error(failure), comment: END });
    const options = { error, ...(abandonAfter !== undefined && { abandonAfter }) };
    this.hub.pipe(ModelRunChannel.of({ chat, run }), source, options).catch((cause: unknown) => {
      if (isCompleted(cause)) return; // it was stopped
      if (cause instanceof SseError) this.#logger.warn(`A run of the chat "${chat}": ${cause.message}`);
      else this.#logger.error(cause);
    });
  }
}

const isCompleted = (error: unknown): boolean =>
  error instanceof SseError && error.code === 'CHANNEL_COMPLETED';

/** The events of a run that comes to its own end. */
function eventsOf(parts: Parts, { done }: ModelFormat): Source<SseEventInput> {
  const begin = { comment: BEGIN };
  const end = { ...done, comment: END };
  if (isObservable(parts)) return concat(of(begin), parts.pipe(map((data) => ({ data }))), of(end));
  return (async function* () {
    yield begin;
    for await (const data of parts as AsyncIterable<unknown>) yield { data };
    yield end;
  })();
}
