import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import type { SseCluster } from './cluster.js';

/** Milliseconds for which the answers of the other instances are waited for. */
export const ANSWER_TIME = 1_000;

/** Characters of one part of an answer, or little more: a cluster may take messages up to a size only. */
const PART = 128 * 1024;

/** What goes between instances: a question to all, and the parts of an answer to one. */
type Message<Question> =
  | { readonly id: string; readonly question: Question }
  | { readonly id: string; readonly items: readonly unknown[]; readonly isLast: boolean };

/** What one instance has answered. */
export interface Answer {
  readonly from: string;
  readonly items: unknown[];
}

interface Gathered {
  readonly answers: Answer[];
  /** The instances that have not answered. */
  readonly missing: ReadonlySet<string>;
}

/** A question whose answers are still to come. */
interface Gathering {
  /** Who has not said everything yet. */
  readonly missing: Set<string>;
  readonly answers: Map<string, Answer>;
  /** Whether one answer that is not empty is all there is to come. */
  readonly isForOne: boolean;
  readonly done: () => void;
}

/** Asks all other instances of the application something, and answers what they ask. */
export class ScatterGather<Question> {
  readonly #gatherings = new Map<string, Gathering>();
  readonly #logger = new Logger('SseHub');

  constructor(
    private readonly cluster: SseCluster,
    private readonly answer: (question: Question) => readonly unknown[] | Promise<readonly unknown[]>,
    /** What this goes over; a survey of its own on each instance. */
    private readonly topic = 'sse-hub',
  ) {
    cluster.listen(topic, (message, from) => {
      if (from !== cluster.instance) this.#hear(message as Message<Question>, from);
    });
  }

  /**
   * The answers of the others, in the order in which they came to an end. Who does not answer within
   * {@link ANSWER_TIME} is left out, with a warning.
   *
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async ask(question: Question): Promise<Answer[]> {
    return (await this.askAll(question)).answers;
  }

  /** As `ask`, with who has not answered. */
  async askAll(question: Question): Promise<Gathered> {
    const gathered = await this.#gathered(question, ANSWER_TIME, false);
    this.#warnOf(gathered.missing);
    return gathered;
  }

  /**
   * The answer of the one instance that has one; undefined if none has.
   *
   * @param time milliseconds that it may take
   * @throws SseError `BACKPLANE_AWAY` also if an instance that may have it does not answer in that time,
   * `HUB_CLOSED`
   */
  async askOne(question: Question, time: number): Promise<unknown> {
    const { answers, missing } = await this.#gathered(question, time, true);
    const items = answers.flatMap((answer) => answer.items);
    if (items.length === 0 && missing.size > 0)
      throw new SseError('BACKPLANE_AWAY', `An instance did not answer within ${time} ms.`);
    return items[0];
  }

  async #gathered(question: Question, time: number, isForOne: boolean): Promise<Gathered> {
    const missing = new Set(await this.cluster.instances());
    missing.delete(this.cluster.instance);
    if (missing.size === 0) return { answers: [], missing };
    const id = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    try {
      const gathered = new Promise<Answer[]>((resolve) => {
        const answers = new Map<string, Answer>();
        const done = (): void => resolve([...answers.values()].filter(({ from }) => !missing.has(from)));
        this.#gatherings.set(id, { missing, answers, isForOne, done });
        timer = setTimeout(done, time);
      });
      await this.cluster.broadcast(this.topic, { id, question } satisfies Message<Question>);
      return { answers: await gathered, missing };
    } finally {
      clearTimeout(timer);
      this.#gatherings.delete(id);
    }
  }

  #hear(message: Message<Question>, from: string): void {
    if ('question' in message) void this.#reply(message.id, message.question);
    else this.#gather(message, from);
  }

  #gather({ id, items, isLast }: Extract<Message<Question>, { items: unknown }>, from: string): void {
    const gathering = this.#gatherings.get(id);
    if (!gathering) return; // another's question, or one that is over
    const { answers, missing, isForOne, done } = gathering;
    const answer = answers.get(from) ?? { from, items: [] };
    answers.set(from, answer);
    answer.items.push(...items);
    // Who was not on the list may have joined since: what it says counts if it comes in time.
    if (!isLast) missing.add(from);
    else if (missing.delete(from) && (missing.size === 0 || (isForOne && answer.items.length > 0))) done();
  }

  async #reply(id: string, question: Question): Promise<void> {
    let items: readonly unknown[];
    try {
      items = await this.answer(question);
    } catch (error) {
      // Perhaps a newer version asks for what this one does not have. Who asked is told nothing, and says so.
      this.#logger.warn(`A question of another instance cannot be answered: ${String(error)}`);
      return;
    }
    const parts = partsOf(items);
    for (const [i, part] of parts.entries()) {
      const message: Message<Question> = { id, items: part, isLast: i === parts.length - 1 };
      this.cluster.broadcast(this.topic, message).catch(() => undefined);
    }
  }

  #warnOf(missing: ReadonlySet<string>): void {
    if (missing.size === 0) return;
    const names = [...missing].join(', ');
    this.#logger.warn(`These instances did not answer within ${ANSWER_TIME} ms and are left out: ${names}`);
  }
}

/** Values, in messages that are not too long each: at least one, if it has none. */
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
