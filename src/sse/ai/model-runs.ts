import { createHash, randomUUID } from 'node:crypto';
import { BadRequestException, Inject, Injectable, Logger } from '@nestjs/common';
import { concat, firstValueFrom, isObservable, map, of, takeWhile, timeout, type Observable } from 'rxjs';
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
 * silent, the last that it has ended. Whoever stops a run cannot keep its source from publishing a last part after that
 * end: streams end at the first end, and a second claim says that the run was stopped.
 */

/** Claims of the runs of a chat. */
const Claims = defineChannel('model-runs/:chat', {
  events: { message: type<Claim>() },
  // Two for each run that is stopped.
  history: { count: 40 },
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

/** How the position of a channel begins that nothing was published to. */
const UNBEGUN = '0.';

/** Milliseconds in which a run that was claimed begins, or its process has ended before it could. */
const BEGIN_TIME = 3_000;
/** Milliseconds after which nobody waits for the beginning of a run. More than the clocks of instances differ. */
const OLD_CLAIM = 60_000;

interface Claim {
  readonly run: string;
  /** A hash of the key that the run was asked for by. */
  readonly key: string;
  readonly state: 'begun' | 'stopped';
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The last event of the run if it is stopped, as the instance that stops it does not know its format. */
  readonly stopped: FormatEvent;
}

/** A run that is asked for. */
export interface ModelRun {
  readonly format: ModelFormat;
  /** The chat that it belongs to. A chat has one present run: a new one stops the one before. At most 152 bytes in a URL. */
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
  /** The newest run of each chat that runs here: `limits.historyBytes` may take the claims of a run that goes on. */
  readonly #own = new Map<string, Claim>();

  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  /**
   * Begins a run, or joins the one that the same request has begun. A run of the chat that another request has begun is
   * stopped.
   *
   * It asks nobody whether the client may: `@AuthorizeChannel(ModelRunChannel)` is asked about the stream, when the run has
   * begun. Guard the route.
   *
   * @param ask asks the model. Its `signal` is aborted when the run is stopped, or ends in another way
   * @returns the run from its start, for an `@Sse()` method with `plain: format.plain`
   * @throws BadRequestException if no channel can be named after the chat: it is empty, too long, or no Unicode
   * @throws SseError as `hub.publish()`
   */
  async start(run: ModelRun, ask: (signal: AbortSignal) => Parts): Promise<Observable<SseEvent>> {
    const { chat } = run;
    const key = createHash('sha256').update(run.key).digest('base64url');
    const claims = await this.#claims(chat);
    const known = claims.findLast((claim) => claim.key === key);
    if (known) {
      const state = await this.#stateOf(chat, known);
      if (state === 'running' || (state === 'ended' && run.whenEnded !== 'restart'))
        return this.#stream(chat, known.run);
    }
    const { stopped } = run.format;
    const claim: Claim = { run: randomUUID(), key, state: 'begun', at: Date.now(), stopped };
    const held = await this.#claim(chat, claim, `${claims.at(-1)?.run ?? 'first'}/${key}`);
    if (held.claim.run === claim.run) {
      this.#begin(run, claim, ask);
      // Not awaited: it may be waited for, as it may have been claimed just now.
      if (held.before) this.#stop(chat, held.before).catch(this.#report(chat));
    }
    return this.#stream(chat, held.claim.run);
  }

  /**
   * The present run of a chat, from its start, for an `@Sse()` method with `plain: format.plain`. Where none is running, the
   * answer is 204.
   *
   * @throws BadRequestException as `start()`
   * @throws SseError `BACKPLANE_AWAY`
   */
  async resume(chat: string): Promise<Observable<SseEvent>> {
    const present = (await this.#claims(chat)).at(-1);
    const isRunning = present && (await this.#stateOf(chat, present)) === 'running';
    // It may end in this moment: then it is given to its end. A channel that nobody publishes to is answered 204.
    return this.#stream(chat, isRunning ? present.run : 'none', 'end');
  }

  /**
   * Stops the present run of a chat, if there is one, on whichever instance it is: its streams end, and the signal of its
   * source is aborted. It asks nobody whether the client may: guard the route.
   *
   * @throws BadRequestException as `start()`
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async stop(chat: string): Promise<void> {
    const present = (await this.#claims(chat)).at(-1);
    if (present) await this.#stop(chat, present);
  }

  async #stop(chat: string, claim: Claim): Promise<void> {
    if ((await this.#stateOf(chat, claim)) !== 'running') return;
    const channel = ModelRunChannel.of({ chat, run: claim.run });
    try {
      await this.hub.publish(channel, { ...claim.stopped, comment: END });
      await this.hub.complete(channel);
    } catch (error) {
      if (!isCompleted(error)) throw error;
    }
    // Last, as a run that was not completed has to be stopped again.
    const data: Claim = { ...claim, state: 'stopped' };
    await this.hub.publish(Claims.of({ chat }), { data }, { publishId: `${claim.run}/stopped` });
  }

  #stream(chat: string, run: string, ifAbsent: 'wait' | 'end' = 'wait'): Observable<SseEvent> {
    const channel = ModelRunChannel.of({ chat, run });
    const events = this.hub.stream(channel, { begin: 'anew', replay: 'all', ifAbsent });
    return events.pipe(takeWhile((event) => event.comment !== END, true));
  }

  /** The newest claim of each run that is known, in the order in which the runs were claimed. */
  async #claims(chat: string, upTo?: string): Promise<Claim[]> {
    checkChat(chat);
    const { events } = await this.hub.history(Claims.of({ chat }), upTo === undefined ? {} : { upTo });
    const own = this.#own.get(chat);
    if (events.length === 0 && own && upTo === undefined) return [own];
    // A Map keeps the place of a key that is set again.
    return [...new Map(events.map(({ data }) => [data.run, data])).values()];
  }

  /** @returns the claim that holds, as another request may have stored one under this name before, and the one before it */
  async #claim(
    chat: string,
    claim: Claim,
    publishId: string,
  ): Promise<{ claim: Claim; before: Claim | undefined }> {
    const id = await this.hub.publish(Claims.of({ chat }), { data: claim }, { publishId });
    const claims = await this.#claims(chat, id);
    return { claim: claims.at(-1) ?? claim, before: claims.at(-2) };
  }

  async #stateOf(chat: string, { run, state, at }: Claim): Promise<'running' | 'ended' | 'absent'> {
    if (state === 'stopped') return 'ended';
    const channel = ModelRunChannel.of({ chat, run });
    const { events, position } = await this.hub.history(channel, { limit: 1 });
    let [last] = events as readonly (SseEvent | undefined)[];
    // Without events it may have had some, which `limits.historyBytes` has taken.
    if (!last && !position.startsWith(UNBEGUN)) return 'running';
    if (!last && Date.now() - at < OLD_CLAIM) last = await this.#firstEvent(channel);
    if (!last) return 'absent';
    return last.comment === END ? 'ended' : 'running';
  }

  /** @returns undefined if there is none after a while: the process that has claimed the run has ended */
  #firstEvent(channel: string): Promise<SseEvent | undefined> {
    const events = this.hub.stream(channel, { replay: 1, authorize: false });
    return firstValueFrom(events.pipe(timeout(BEGIN_TIME))).catch(() => undefined);
  }

  #begin({ chat, format, abandonAfter }: ModelRun, claim: Claim, ask: (signal: AbortSignal) => Parts): void {
    this.#own.set(chat, claim);
    const source = (signal: AbortSignal): Source<SseEventInput> => eventsOf(ask(signal), format);
    const error = (failure: RunFailure): SseEventInput => ({ ...format.plain.error(failure), comment: END });
    const options = { error, ...(abandonAfter !== undefined && { abandonAfter }) };
    const piped = this.hub.pipe(ModelRunChannel.of({ chat, run: claim.run }), source, options);
    void piped.catch(this.#report(chat)).finally(() => {
      if (this.#own.get(chat) === claim) this.#own.delete(chat);
    });
  }

  #report(chat: string): (cause: unknown) => void {
    return (cause) => {
      if (isCompleted(cause)) return; // it was stopped
      if (cause instanceof SseError) this.#logger.warn(`A run of the chat "${chat}": ${cause.message}`);
      else this.#logger.error(cause);
    };
  }
}

/** A chat is named by a client. @throws BadRequestException */
function checkChat(chat: string): void {
  try {
    ModelRunChannel.of({ chat, run: randomUUID() });
  } catch (cause) {
    throw new BadRequestException('The id of a chat is empty, too long, or no Unicode.', { cause });
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
