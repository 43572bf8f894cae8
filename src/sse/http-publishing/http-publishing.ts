import { ForbiddenException, HttpException, HttpStatus, Inject, Injectable, Logger } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { ChannelRule } from '../channels/channel-definition.js';
import { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { Exchange } from '../http/exchange.js';
import { refuseForms } from '../http/refuse-forms.js';
import { SseError } from '../sse.errors.js';
import { SseHub } from '../sse-hub.js';
import {
  entryOutcome,
  mayBeTriedAgain,
  refusalOf,
  RETRY_AFTER,
  type BatchOutcome,
  type EntryOutcome,
} from './answers.js';
import { IdempotencyKeys, keyOf } from './idempotency.js';
import { publishBody, type BatchEntry, type PublishBody } from './publish-body.js';
import { PUBLISH_RULES, type SsePublishRules } from './publish.options.js';

/** The answer to a request with one event. */
export type PublishedAnswer =
  /** The event's id, or the empty string where its channel has none. */
  | { readonly id: string }
  /** The same for an event to several channels, in their order. */
  | { readonly ids: readonly string[] };

/** An answer with its status. */
interface Answer {
  readonly status: HttpStatus;
  readonly body: PublishedAnswer | BatchOutcome;
}

/** Publishes what comes by POST. */
@Injectable()
export class HttpPublishing implements OnApplicationBootstrap {
  readonly #keys = new IdempotencyKeys();

  constructor(
    @Inject(PUBLISH_RULES) private readonly rules: SsePublishRules,
    @Inject(SseHub) private readonly hub: SseHub,
    @Inject(ModuleRef) private readonly ref: ModuleRef,
  ) {}

  /** The hub is made of them, so they are there. */
  get #definitions(): ChannelDefinitions {
    return this.ref.get(ChannelDefinitions, { strict: false });
  }

  /** The definitions whose channels may be published to, or `'all'`. */
  get channels(): readonly ChannelRule[] | 'all' {
    return this.rules.channels ?? [...this.#definitions.all.keys()];
  }

  /** @throws SseError `INVALID_OPTIONS` for a definition that is not in force: its schemas would check nothing */
  onApplicationBootstrap(): void {
    const { channels } = this;
    const unlisted = channels !== 'all' && channels.find((definition) => !this.#definitions.has(definition));
    if (unlisted)
      throw new SseError(
        'INVALID_OPTIONS',
        `"channels" of SsePublishModule names the definition of "${unlisted.pattern}", which is not in force. List it in SseModule.forFeature([…]).`,
      );
    if (this.rules.channels !== undefined || channels.length > 0) return;
    new Logger('SsePublishModule').warn(
      'Publishing over HTTP refuses every channel, as SseModule.forFeature() lists no definition. Give "channels" a list, or "all".',
    );
  }

  /** @throws HttpException */
  async publish(body: unknown, exchange: Exchange): Promise<Answer> {
    refuseForms(exchange);
    const request = publishBody(body);
    const header = exchange.request.headers['idempotency-key'];
    const key = keyOf(typeof header === 'string' ? header : header?.join());
    const publishId = key && this.#keys.publishIdOf(key, body);
    const retryIf = (isPassing: boolean): void => {
      if (isPassing) exchange.response.setHeader('Retry-After', RETRY_AFTER);
    };
    try {
      this.#check(request);
      const answer = await this.#publish(request, publishId === undefined ? {} : { publishId });
      const outcomes = 'outcomes' in answer.body ? answer.body.outcomes : [];
      retryIf(outcomes.some(({ status }) => mayBeTriedAgain(status)));
      return answer;
    } catch (error) {
      const refusal = refusalOf(error);
      const isPassing = refusal instanceof HttpException && mayBeTriedAgain(refusal.getStatus());
      retryIf(isPassing);
      // Another body is right after a refusal of this one.
      if (key && !isPassing) this.#keys.forget(key);
      throw refusal;
    }
  }

  async #publish(request: PublishBody, options: { readonly publishId?: string }): Promise<Answer> {
    const { hub } = this;
    const status = HttpStatus.CREATED;
    switch (request.kind) {
      case 'one':
        return { status, body: { id: await hub.publish(request.channel, request.event, options) } };
      case 'copies':
        return { status, body: { ids: await hub.publish(request.channels, request.event, options) } };
      case 'batch': {
        const outcomes = await this.#publishMany(request.events, options.publishId);
        const isDone = outcomes.every((one) => 'id' in one);
        return { status: isDone ? status : HttpStatus.MULTI_STATUS, body: { outcomes } };
      }
    }
  }

  async #publishMany(events: readonly BatchEntry[], publishId: string | undefined): Promise<EntryOutcome[]> {
    const publications = events.map((entry, index) => ({
      ...entry,
      ...(publishId !== undefined && { publishId: `${publishId}/${index}` }),
    }));
    return (await this.hub.publishMany(publications)).map(entryOutcome);
  }

  /** @throws ForbiddenException, SseError */
  #check(request: PublishBody): void {
    for (const { channel, event } of entriesOf(request)) {
      if (!this.#isAllowed(channel))
        throw new ForbiddenException(`The channel ${JSON.stringify(channel)} may not be published to.`);
      if (this.#isOfMembers(channel, event.type))
        throw new SseError(
          'RESERVED_TYPE',
          `The type "${event.type}" is reserved in "${channel}": with "presence: { events: true }" it tells who comes and goes.`,
        );
    }
  }

  #isAllowed(name: string): boolean {
    const { channels } = this.rules;
    if (channels === 'all') return true;
    const inForce = this.#definitions.inForce(name);
    return inForce !== undefined && (!channels || channels.includes(inForce));
  }

  /** Clients keep a list of the members by these events: whoever has a key could otherwise make members up. */
  #isOfMembers(name: string, type: unknown): boolean {
    const mayBe = type === 'join' || type === 'leave';
    return mayBe && this.#definitions.settingsOf(name).presence?.events === true;
  }
}

/** The events of a request, each with its channel. */
const entriesOf = (request: PublishBody): readonly BatchEntry[] =>
  request.kind === 'one'
    ? [request]
    : request.kind === 'batch'
      ? request.events
      : request.channels.map((channel) => ({ channel, event: request.event }));
