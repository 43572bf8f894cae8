import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { SparseLog, sparseLine } from '../sparse-log.js';
import { SseError } from '../sse.errors.js';
import { booleanOf } from '../validate.js';
import { withTimeout } from '../with-timeout.js';
import type { SseCluster } from './cluster.js';

/*
 * One instance asks all others a question and gathers their answers. A feature that answers questions about a subject
 * registers for it at the start: `questions.answer('connections', …)`.
 *
 * The asker broadcasts { id, question: { about, … } }; each of the others broadcasts { id, items, isLast }, in as many
 * parts as its answer needs, and only the asker knows the id. Broadcasts arrive at most once, so an instance that
 * stays silent for a second is left out, and the asker learns which. What must not be missed is an order: orders.ts.
 */

/** The instances that a call concerns. */
export interface Reach {
  /** Ask all instances of the application, not this one only. @defaultValue false */
  readonly everywhere?: boolean;
}

/** @throws SseError `INVALID_OPTIONS` */
export const isEverywhere = ({ everywhere = false }: { readonly everywhere?: unknown }): boolean =>
  booleanOf('everywhere', everywhere);

/** Milliseconds for which the answers of the other instances are waited for. */
export const ANSWER_TIME = 1_000;

/** Characters of one part of an answer, or little more: a cluster may take messages up to a size only. */
const PART = 128 * 1024;

type Message =
  | Readonly<{ id: string; question: Question }>
  | Readonly<{ id: string; items: readonly unknown[]; isLast: boolean }>;

type Question = Readonly<{ about: string }>;

/** The answer of one instance. */
export interface Answer<Item = unknown> {
  readonly from: string;
  readonly items: Item[];
}

interface Gathered<Item> {
  readonly answers: Answer<Item>[];
  /** The instances that have not answered. */
  readonly missing: ReadonlySet<string>;
}

/** A question whose answers are still to come. */
interface Gathering {
  /** The instances that have not said everything yet. */
  readonly missing: Set<string>;
  readonly answers: Map<string, Answer>;
  /** Which answers it takes: of all instances, or the first that is not empty. */
  readonly takes: 'all' | 'first';
  readonly done: () => void;
}

/** Makes an answer: JSON values, none if this instance has nothing to tell. */
type Answering = (question: never) => readonly unknown[] | Promise<readonly unknown[]>;

/** Asks all other instances of the application something, and answers what they ask. */
export class ScatterGather {
  readonly #answering = new Map<string, Answering>();
  readonly #gatherings = new Map<string, Gathering>();
  readonly #logger = new Logger('SseHub');
  readonly #silent = new SparseLog();

  constructor(
    private readonly cluster: SseCluster,
    private readonly topic = 'sse-hub',
  ) {
    cluster.listen(topic, (message, from) => {
      if (from !== cluster.instance) this.#hear(message as Message, from);
    });
  }

  /** Answers the questions about a subject, from the start on. */
  answer(about: string, answering: Answering): void {
    this.#answering.set(about, answering);
  }

  /**
   * The answers of the others, in the order in which they came to an end. An instance that does not answer within
   * {@link ANSWER_TIME} is left out, with a warning.
   *
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async ask<Item>(about: string, question: object = {}): Promise<Gathered<Item>> {
    const gathered = await this.#gathered<Item>({ ...question, about }, ANSWER_TIME, 'all');
    const instances = [...gathered.missing];
    if (instances.length > 0) this.#warnOfSilent(instances);
    return gathered;
  }

  #warnOfSilent(instances: readonly string[]): void {
    const line = `These instances did not answer within ${ANSWER_TIME} ms and are left out: ${instances.join(', ')}`;
    this.#silent.add('', (leftOut) => this.#logger.warn(sparseLine(line, leftOut, { instances })));
  }

  /**
   * The answer of the one instance that has one; undefined if none has.
   *
   * @param time milliseconds that it may take
   * @throws SseError `BACKPLANE_AWAY` also if an instance that may have it does not answer in that time,
   * `HUB_CLOSED`
   */
  async askOne<Item>(about: string, question: object, time: number): Promise<Item | undefined> {
    const { answers, missing } = await this.#gathered<Item>({ ...question, about }, time, 'first');
    const items = answers.flatMap((answer) => answer.items);
    if (items.length === 0 && missing.size > 0)
      throw new SseError('BACKPLANE_AWAY', `An instance did not answer within ${time} ms.`);
    return items[0];
  }

  async #gathered<Item>(
    question: Question,
    time: number,
    takes: Gathering['takes'],
  ): Promise<Gathered<Item>> {
    const missing = new Set(await this.cluster.instances());
    missing.delete(this.cluster.instance);
    if (missing.size === 0) return { answers: [], missing };
    const id = randomUUID();
    const answers = new Map<string, Answer>();
    try {
      const gathered = new Promise<void>((done) => {
        this.#gatherings.set(id, { missing, answers, takes, done });
      });
      const gathering = withTimeout(gathered, time, () => undefined);
      await this.cluster.broadcast(this.topic, { id, question } satisfies Message);
      await gathering;
      const complete = [...answers.values()].filter(({ from }) => !missing.has(from));
      return { answers: complete as Answer<Item>[], missing };
    } finally {
      this.#gatherings.delete(id);
    }
  }

  #hear(message: Message, from: string): void {
    if ('question' in message) {
      void this.#reply(message.id, message.question);
      return;
    }
    const { id, items, isLast } = message;
    const gathering = this.#gatherings.get(id);
    if (!gathering) return; // another's question, or one that is over
    const { answers, missing, takes, done } = gathering;
    const answer = answers.get(from) ?? { from, items: [] };
    answers.set(from, answer);
    answer.items.push(...items);
    // An instance that was not on the list may have joined since: its answer counts if it comes in time.
    if (!isLast) missing.add(from);
    else if (missing.delete(from) && (missing.size === 0 || (takes === 'first' && answer.items.length > 0)))
      done();
  }

  async #reply(id: string, question: Question): Promise<void> {
    let items: readonly unknown[];
    try {
      const answering = this.#answering.get(question.about);
      if (!answering) throw new Error(`It is about ${question.about}.`);
      items = await answering(question as never);
    } catch (error) {
      // Silence tells the asker that something is missing. A newer version may ask about an unknown subject.
      this.#logger.warn(`A question of another instance cannot be answered: ${String(error)}`);
      return;
    }
    const parts = partsOf(items);
    for (const [i, part] of parts.entries()) {
      const message: Message = { id, items: part, isLast: i === parts.length - 1 };
      this.cluster.broadcast(this.topic, message).catch(() => undefined);
    }
  }
}

/** Cuts a list into parts that fit into a message each; at least one, which may be empty. */
export function partsOf<Item>(items: Iterable<Item>): Item[][] {
  const parts: Item[][] = [[]];
  let length = 0;
  for (const item of items) {
    if (length > PART) {
      parts.push([]);
      length = 0;
    }
    length += JSON.stringify(item).length;
    (parts.at(-1) as Item[]).push(item);
  }
  return parts;
}
