import { listenTo, SseCluster } from '../../../src/sse/index.js';
import type { SseDiagnostics, SseListeners, SsePublishing } from '../../../src/sse/index.js';
import { Inbox } from '../../../src/sse/testing/inbox.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { PATIENCE } from '../../support/open-stream.js';
import type { SseApp } from '../../support/sse-app.js';

type Messages = SseDiagnostics & SsePublishing;

export interface ToldMessage<Name extends keyof Messages = keyof Messages> {
  readonly name: Name;
  readonly message: Messages[Name];
}

/** What an application is told of from now on, of these messages. */
export class Told extends Inbox<ToldMessage> {
  private constructor(names: readonly (keyof Messages)[], hub: string) {
    // By name: a message is not always JSON.
    super(PATIENCE, () => `Until then came ${this.names.join(', ')}.`);
    // What is told of a call is one object, which changes until its end.
    const listeners = names.map((name) => [name, (message: object) => this.#add(name, { ...message })]);
    whenTestEnds(listenTo(Object.fromEntries(listeners) as SseListeners, hub));
  }

  static of({ app }: Pick<SseApp, 'app'>, ...names: (keyof Messages)[]): Told {
    return new Told(names, instanceOf({ app }));
  }

  /** The next message, which has this name. */
  async next<Name extends keyof Messages>(name: Name): Promise<Messages[Name]> {
    const told = await this.nextIfAny();
    if (told?.name !== name) throw new Error(`It was told ${told?.name}, not ${name}.`);
    return told.message as Messages[Name];
  }

  /** The names of all messages so far. */
  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  #add(name: keyof Messages, message: object): void {
    this.push({ name, message: message as never });
  }
}

export const instanceOf = ({ app }: Pick<SseApp, 'app'>): string => app.get<SseCluster>(SseCluster).instance;
