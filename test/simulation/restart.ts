import { EventSource } from 'eventsource';
import { connect } from '../../src/sse/client/index.js';
import type { SseModuleOptions } from '../../src/sse/index.js';
import { Fleet, type Balancing } from './fleet.js';
import { VirtualTime } from './virtual-time.js';

export interface Restart {
  /** What the pages use: the browser's EventSource, or `connect()` of this package. */
  readonly client: 'EventSource' | 'connect()';
  readonly how: 'closed' | 'killed';
  /** Whether the instances restart together, or one after the other. */
  readonly order: 'together' | 'in turn';
  readonly balancing: Balancing;
  readonly options: SseModuleOptions;
}

export interface RestartOutcome {
  /** Requests in each second after the first instance went, in percent of the clients. */
  readonly requested: readonly number[];
  /** The most requests within a tenth of a second, in percent of the clients. */
  readonly densest: number;
  /** Requests that were let in, in each second. */
  readonly letIn: readonly number[];
  /** Streams that each client has opened again. */
  readonly reconnects: number;
  /** Clients that have had every event once, in order, and no gap. */
  readonly intact: number;
  /** Streams of each instance at the end, in percent of all. */
  readonly shares: readonly number[];
}

const INSTANCES = 4;
/** Milliseconds from the end of an instance to its new start. */
const DOWN = 1_500;
/** Milliseconds from one instance to the next where they restart in turn. */
const APART = 12_000;
/** Milliseconds that are looked at. */
export const LENGTH = 48_000;
const PUBLISH_EVERY = 3_000;
const URL = 'http://fleet.example/events';

/** Something that streams, and tells of what it gets. */
type Client = (fetch: Fleet['fetch'], received: (data: string) => void) => () => void;

const clients: Record<Restart['client'], Client> = {
  EventSource: (fetch, received) => {
    const source = new EventSource(URL, { fetch });
    source.addEventListener('message', ({ data }) => received(String(data)));
    source.addEventListener('gap', () => received('gap'));
    return () => source.close();
  },
  'connect()': (fetch, received) => {
    const client = connect(URL, { fetch, onGap: () => received('gap') });
    client.on('message', (data) => received(String(data)));
    return () => client.close();
  },
};

/** Restarts a fleet with so many clients, and looks at when they come back. */
export async function simulateRestart(
  restart: Restart,
  count: number,
  seed: number,
): Promise<RestartOutcome> {
  const time = new VirtualTime(seed);
  const requested = { seconds: new Counts(1_000, count), tenths: new Counts(100, count) };
  const letIn = new Counts(1_000, count);
  let begin = Infinity;
  const fleet = await Fleet.start(INSTANCES, restart.balancing, restart.options, (event) => {
    const counts = event === 'let in' ? [letIn] : [requested.seconds, requested.tenths];
    for (const one of counts) one.count(time.now - begin);
  });
  try {
    const logs = Array.from({ length: count }, (): string[] => []);
    const leave = logs.map((log) => clients[restart.client](fleet.fetch, (data) => log.push(data)));
    // With a limit some are turned away at first, and come back.
    while (sum(fleet.connections) < count) await time.until(time.now + 1_000);
    begin = time.now;
    const restarting = restartAll(fleet, restart);
    const published: string[] = [];
    while (time.now < begin + LENGTH) {
      await time.until(time.now + PUBLISH_EVERY);
      published.push(String(published.length));
      await fleet.publish(published.at(-1)!);
    }
    await restarting;
    await time.settle();
    const shares = fleet.connections.map((connections) => Math.round((connections / count) * 100));
    for (const close of leave) close();
    return {
      requested: requested.seconds.shares,
      densest: Math.max(...requested.tenths.shares),
      letIn: letIn.shares,
      reconnects: sum(letIn.shares) / 100,
      intact: logs.filter((log) => log.join() === published.join()).length,
      shares,
    };
  } finally {
    await fleet.dispose();
    time.end();
  }
}

/** Counts what happens in each step of the time that is looked at. */
class Counts {
  readonly #counts: number[];

  constructor(
    private readonly step: number,
    private readonly clients: number,
  ) {
    this.#counts = new Array<number>(LENGTH / step).fill(0);
  }

  count(milliseconds: number): void {
    const step = Math.floor(milliseconds / this.step);
    if (step in this.#counts) this.#counts[step]!++;
  }

  /** In percent of the clients. */
  get shares(): readonly number[] {
    return this.#counts.map((count) => (count / this.clients) * 100);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** By the timers of the simulation. */
async function restartAll(fleet: Fleet, { how, order }: Restart): Promise<void> {
  const pause = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, milliseconds));
  const numbers = Array.from({ length: INSTANCES }, (_, i) => i);
  const restartOne = async (number: number): Promise<void> => {
    if (order === 'in turn') await pause(number * APART);
    const closed = how === 'killed' ? fleet.kill(number) : fleet.close(number);
    await Promise.all([closed, pause(DOWN)]);
    await fleet.startAgain(number);
  };
  await Promise.all(numbers.map(restartOne));
}
