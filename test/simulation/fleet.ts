import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MemoryBackplane } from '../../src/sse/backplanes/memory/memory.backplane.js';
import { SseHub, SseModule } from '../../src/sse/index.js';
import type { BackplaneFactory, SseModuleOptions } from '../../src/sse/index.js';
import { makeAdapter } from '../support/adapters.js';
import { controllerOf, type Route } from '../support/sse-app.js';
import { fetchOver, MemorySocket } from './network.js';

const CHANNEL = 'news';

/** The answer of a proxy whose instances are all away, as the guide to proxies has it. */
const PROXY_ANSWER = 'retry: 3000\n\n';

/** Told of what happens: a request came, and a stream was let in. */
type Observer = (event: 'requested' | 'let in') => void;

/** A real application. Only its network is in memory. */
class Instance {
  readonly #sockets = new Set<MemorySocket>();

  private constructor(readonly app: INestApplication) {}

  /** @param letIn is called for each stream that is let in */
  static async start(options: SseModuleOptions, letIn: () => void): Promise<Instance> {
    const events: Route = (hub) => {
      letIn();
      return hub.stream(CHANNEL);
    };
    const module = await Test.createTestingModule({
      imports: [SseModule.forRoot(options)],
      controllers: [controllerOf({ events })],
    }).compile();
    const app = module.createNestApplication(await makeAdapter('express'), { logger: false });
    await app.init();
    return new Instance(app);
  }

  get hub(): SseHub {
    return this.app.get(SseHub);
  }

  connect(): MemorySocket {
    const [client, server] = MemorySocket.pair();
    this.#sockets.add(server);
    server.once('close', () => this.#sockets.delete(server));
    (this.app.getHttpServer() as Server).emit('connection', server);
    return client;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** How a proxy chooses an instance for a request. */
export type Balancing = 'round robin' | 'least connections';

/** Instances of an application behind a proxy. Their store outlives them. */
export class Fleet {
  readonly #instances: (Instance | undefined)[] = [];
  readonly #store = new MemoryBackplane({ channels: 100, historyBytes: 1e9 });
  #turn = 0;

  private constructor(
    private readonly balancing: Balancing,
    private readonly options: SseModuleOptions,
    private readonly observe: Observer,
  ) {}

  static async start(
    instances: number,
    balancing: Balancing,
    options: SseModuleOptions,
    observe: Observer,
  ): Promise<Fleet> {
    const fleet = new Fleet(balancing, options, observe);
    for (let number = 0; number < instances; number++) await fleet.startAgain(number);
    return fleet;
  }

  /** Sends a request to one of the instances that are there. */
  readonly fetch: typeof fetch = async (input, init) => {
    this.observe('requested');
    const instance = this.#pick();
    if (!instance) return new Response(PROXY_ANSWER, { headers: { 'content-type': 'text/event-stream' } });
    return fetchOver(() => instance.connect())(input, init);
  };

  /** The streams of each instance. */
  get connections(): readonly number[] {
    return this.#instances.map((instance) => instance?.hub.stats().connections ?? 0);
  }

  /** Publishes on one of the instances that are there. */
  async publish(data: string): Promise<void> {
    await this.#pick()?.hub.publish(CHANNEL, { data });
  }

  /** Closes an instance, as SIGTERM does. It gets no request from now on. */
  async close(number: number): Promise<void> {
    await this.#take(number)?.app.close();
  }

  /** Ends an instance as SIGKILL does. */
  kill(number: number): void {
    const instance = this.#take(number);
    instance?.cut();
    // It has no clients any more, so nobody hears of this.
    void instance?.app.close();
  }

  async startAgain(number: number): Promise<void> {
    const options = { ...this.options, backplane: sharing(this.#store) };
    this.#instances[number] = await Instance.start(options, () => this.observe('let in'));
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#instances.map((_, number) => this.close(number)));
    await this.#store.close();
  }

  #take(number: number): Instance | undefined {
    const instance = this.#instances[number];
    this.#instances[number] = undefined;
    return instance;
  }

  #pick(): Instance | undefined {
    const there = this.#instances.filter((instance) => instance !== undefined);
    if (this.balancing === 'round robin') return there[this.#turn++ % there.length];
    return there.sort((one, other) => one.connections - other.connections)[0];
  }
}

/** A store that stays open when an instance closes. */
function sharing(store: MemoryBackplane): BackplaneFactory {
  return () => ({
    backplane: {
      append: (...call) => store.append(...call),
      follow: (...call) => store.follow(...call),
      read: (...call) => store.read(...call),
      complete: (...call) => store.complete(...call),
      purge: (...call) => store.purge(...call),
      stats: () => store.stats(),
      state: () => store.state(),
      close: async () => undefined,
    },
  });
}
