import { randomUUID } from 'node:crypto';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { ChannelRecord } from './channel-record.js';
import { StreamClient, type ClientOwner, type Message } from './client.js';
import { pathOf } from './instance.js';
import { judge, type Rules, type Seen, type Verdict } from './oracle.js';
import type { ClientPlan, Schedule, Step } from './schedule.js';
import type { World } from './world.js';

export interface Outcome {
  readonly faults: readonly string[];
  /** What happened, a line each. */
  readonly trace: readonly string[];
}

/**
 * How many times, some milliseconds apart, a client that is behind is looked at without it having news. Counted
 * and not measured, as it is the same process that serves it: where that is slow, these are slow as well.
 */
const PATIENCE = 200;
const SHORT_PATIENCE = 5;
const LOOK = 10;
/** Milliseconds after which a schedule is given up. */
const LONGEST = 45_000;

/** One event in so many may be hidden by a filter. */
const HIDDEN = 3;

/** Runs a schedule on a world, and has the oracle judge it. */
export const runSchedule = (schedule: Schedule, world: World): Promise<Outcome> =>
  new Run(schedule, world).run();

/** What one instance publishes to a channel, until another does. */
interface Publishing {
  readonly instance: number;
  /** When the instance before it is done; undefined where there is none. */
  readonly mayBegin: Promise<unknown> | undefined;
  readonly done: Promise<unknown>;
}

class Run {
  readonly faults: string[] = [];
  readonly channels: readonly ChannelRecord[];
  readonly #clients: readonly Listener[];
  /** By channel: the newest. */
  readonly #publishing = new Map<ChannelRecord, Publishing>();
  readonly #orders: Promise<unknown>[] = [];
  readonly #trace: string[] = [];
  readonly #start = performance.now();

  constructor(
    readonly schedule: Schedule,
    readonly world: World,
  ) {
    const id = randomUUID().slice(0, 8);
    this.channels = schedule.channels.map((kind, i) => new ChannelRecord(`${kind}/${id}-${i}`, kind));
    this.#clients = schedule.clients.map(
      (plan, i) =>
        new Listener(this, `client ${i} (${plan.operator}, ${plan.engine}, ${plan.ids} ids)`, plan),
    );
  }

  log(line: string): void {
    this.#trace.push(`${(performance.now() - this.#start).toFixed(1).padStart(8)} ms  ${line}`);
  }

  async run(): Promise<Outcome> {
    const isOver = await Promise.race([this.#play(), delay(LONGEST, 'never', { ref: false })]);
    if (isOver === 'never') this.faults.push('something that was called never had an answer');
    for (const { doubleIds } of this.channels)
      this.faults.push(...doubleIds.map((id) => `two events have the id ${id}`));
    for (const client of this.#clients) this.faults.push(...client.faults());
    return { faults: this.faults, trace: this.#trace };
  }

  async #play(): Promise<void> {
    for (const step of this.schedule.steps) {
      this.log(JSON.stringify(step));
      await this.#do(step);
    }
    await this.#finish();
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #do(step: Step): Promise<void> {
    const { world } = this;
    switch (step.do) {
      case 'publish':
        return this.#publish(step);
      case 'purge':
      case 'complete':
      case 'disconnect':
        return this.#order(step);
      case 'cut':
        return this.#clients[step.client]!.cut(step);
      case 'stall':
        return this.#clients[step.client]!.stall(step.time);
      case 'await':
        return this.#clients[step.client]!.untilCaughtUp(SHORT_PATIENCE);
      case 'wait':
        return step.time === 0 ? turn() : delay(step.time);
      case 'restart':
        await this.#quiet();
        await world.whileDown(step.how, this.#forgetting, [step.instance]);
        return;
      case 'save':
        await this.#quiet();
        await (world.store.isServer
          ? world.store.save()
          : world.whileDown('closed', () => world.store.save()));
        for (const channel of this.channels) if (world.store.outlivesInstances) channel.save();
        return;
      case 'rewind': {
        await this.#quiet();
        const rewind = async (): Promise<void> => {
          await world.store.rewind();
          for (const channel of this.channels) channel.rewind();
        };
        const lives = world.store.isServer && step.instances === 'live';
        return lives ? rewind() : world.whileDown('killed', rewind);
      }
    }
  }

  /** A store that does not outlive its instances loses everything with them. */
  readonly #forgetting = async (): Promise<void> => {
    if (!this.world.store.outlivesInstances) for (const channel of this.channels) channel.rewind();
  };

  /** Publishes in one turn. Instances take turns, as otherwise nobody could say whose event was first. */
  #publish({ channel: index, sizes, instance }: Extract<Step, { do: 'publish' }>): void {
    const channel = this.channels[index]!;
    const before = this.#publishing.get(channel);
    const mayBegin = before?.instance === instance ? before.mayBegin : before?.done;
    const publish = (): Promise<unknown> =>
      Promise.all(sizes.map((bytes) => this.#publishOne(channel, bytes, instance)));
    const done = Promise.all([before?.done, mayBegin ? mayBegin.then(publish) : publish()]);
    this.#publishing.set(channel, { instance, mayBegin, done });
  }

  async #publishOne(channel: ChannelRecord, bytes: number, instance: number, mayHide = true): Promise<void> {
    if (channel.isCompleted) return;
    const event = channel.begin(bytes, mayHide && (channel.newest + 1) % HIDDEN === 0);
    const { number, isHidden } = event;
    const data = { channel: channel.name, number, isHidden, padding: 'x'.repeat(bytes) };
    try {
      channel.stored(event, await this.world.hub(instance).publish(channel.name, { data }));
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'PUBLISH_UNCERTAIN') event.outcome = 'rejected';
      this.log(`${channel.name} ${number}: ${String(code ?? error)}`);
    }
  }

  #order({
    do: order,
    channel: index,
    instance,
  }: Extract<Step, { do: 'purge' | 'complete' | 'disconnect' }>): void {
    const channel = this.channels[index]!;
    const hub = this.world.hub(instance);
    const given = (): Promise<unknown> => {
      if (order === 'purge') return channel.purge(hub.purge(channel.name));
      if (order === 'disconnect') return hub.disconnect({ channel: channel.name });
      channel.isCompleted = true;
      return hub.complete(channel.name);
    };
    const failed = (error: Error & { readonly code?: string }): void => {
      this.log(`${order} ${channel.name}: ${String(error)}`);
      // What the caller is told while the store is away is no fault.
      if (this.schedule.flavour !== 'rewind' || error.code === undefined)
        this.faults.push(`${order} ${channel.name}: ${String(error)}`);
    };
    this.#orders.push(given().catch(failed));
  }

  /** Resolves when everything that was called has been answered. */
  async #quiet(): Promise<void> {
    await Promise.all([...this.#publishing.values()].map(({ done }) => done));
    await Promise.all(this.#orders);
  }

  /** Has every client catch up: with two more events, as an operator may hold one. */
  async #finish(): Promise<void> {
    this.log('the end: everybody catches up');
    for (const client of this.#clients) client.resume();
    await this.#quiet();
    for (const channel of this.channels)
      for (let i = 0; i < 2; i++) await this.#publishOne(channel, 0, 0, false);
    await Promise.all(this.#clients.map((client) => client.untilCaughtUp()));
  }
}

/** One client of a schedule, with what it saw of each of its channels. */
class Listener implements ClientOwner {
  readonly #seen: ReadonlyMap<ChannelRecord, Seen[]>;
  readonly #client: StreamClient;
  #hasNews = false;
  #instance = 0;
  #hasBegun = false;
  /** By channel: the newest event that was stored when its first request was sent. */
  #stored: readonly number[] = [];

  constructor(
    private readonly run: Run,
    private readonly name: string,
    private readonly plan: ClientPlan,
  ) {
    this.#seen = new Map(plan.channels.map((index) => [run.channels[index]!, []]));
    this.#client = new StreamClient(this, plan);
  }

  address(): string {
    const names = [...this.#seen.keys()].map(({ name }) => name);
    return this.run.world.url(this.#instance) + pathOf(this.plan, names);
  }

  connecting(lastEventId: string): void {
    this.run.log(`${this.name} connects from "${lastEventId}"`);
    if (this.#hasBegun) return;
    // Another instance may hear a moment later of what this one has stored.
    if (this.run.world.store.instances > 1) return;
    this.#stored = [...this.#seen.keys()].map(
      ({ events }) => events.findLast(({ outcome }) => outcome === 'stored')?.number ?? 0,
    );
  }

  positioned(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    [...this.#seen].forEach(([{ newest }, seen], i) => {
      seen.push({ kind: 'began', stored: this.#stored[i] ?? 0, newest });
    });
    this.#hasNews = true;
  }

  message({ type, data }: Message): void {
    const short = data.length > 200 ? `${data.slice(0, 100)}…` : data;
    this.run.log(`${this.name} got ${type} ${short}, its id "${this.#client.lastEventId}"`);
    // What is no JSON is of nobody here: the text of an error.
    const {
      channel: name,
      number,
      ...gap
    } = (data.startsWith('{') ? JSON.parse(data) : {}) as GapData & { channel: string; number: number };
    const [channel, seen] = [...this.#seen].find(([one]) => one.name === name) ?? [];
    // A channel may not be had while its store restarts; a stock route can say so only in the stream.
    const isAway = type === 'error' && this.run.schedule.flavour === 'rewind' && this.plan.route === 'stock';
    if (isAway) {
      // Its stream ends, and it comes back.
    } else if (!channel || !seen || (type !== 'message' && type !== 'gap')) {
      this.run.faults.push(`${this.name} got ${type} ${short}`);
    } else if (type === 'message') {
      seen.push({ kind: 'event', number });
    } else {
      const { newest, goneUpTo } = channel;
      seen.push({ kind: 'gap', ...gap, newest, goneUpTo, keepsUp: this.#keepsUp });
    }
    this.#hasNews = true;
  }

  refused(status: number): void {
    this.run.log(`${this.name} is answered ${status}`);
    if (status !== 204) this.run.faults.push(`${this.name} is answered ${status}`);
    this.#hasNews = true;
  }

  cut({ how, away, instance }: Extract<Step, { do: 'cut' }>): void {
    this.#instance = instance;
    this.#client.cut(how, away);
  }

  stall(time: number): void {
    this.#client.pause();
    setTimeout(() => this.resume(), time);
  }

  resume(): void {
    this.#client.resume();
  }

  /** Resolves when nothing is missing, or when it has had no news for too long; what is missing then is a fault. */
  async untilCaughtUp(patience = PATIENCE): Promise<void> {
    for (let looks = 0; looks < patience && this.#isBehind; looks++) {
      if (this.#hasNews) looks = 0;
      this.#hasNews = false;
      await delay(LOOK);
    }
  }

  get #isBehind(): boolean {
    if (this.#client.isOver) return false;
    const verdicts = this.#verdicts().map(([, verdict]) => verdict);
    if (verdicts.some(({ faults }) => faults.length > 0)) return false;
    return !this.#hasBegun || verdicts.some(({ missing }) => missing.length > 0);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  faults(): string[] {
    return this.#verdicts().flatMap(([channel, { faults, missing }]) =>
      [
        ...faults,
        ...(missing.length > 0 ? [`${missing.join(', ')} never came, and no gap was told`] : []),
      ].map((fault) => `${this.name}, ${channel.name}: ${fault}`),
    );
  }

  /** Operators that wait are themselves slower than what they read; and a client's buffer has no room for floods. */
  get #keepsUp(): boolean {
    const { flavour, steps } = this.run.schedule;
    const isFlooded = steps.some(
      (step) => step.do === 'publish' && step.sizes.some((bytes) => bytes > 10_000),
    );
    return flavour === 'steady' && !isFlooded && this.#client.keepsUp && this.plan.operator !== 'promises';
  }

  #verdicts(): (readonly [ChannelRecord, Verdict])[] {
    const { flavour } = this.run.schedule;
    const { operator, filter, replay } = this.plan;
    return [...this.#seen].map(([channel, seen]) => {
      const mayLose =
        flavour === 'rewind' || (flavour === 'restart' && !this.run.world.store.outlivesInstances);
      const rules: Rules = {
        mayForget: mayLose || channel.kind === 'brief',
        mayLose,
        replaysAll: replay === 'all',
        hidesEvents: filter !== 'none',
        holdsEvents: operator !== 'none' && operator !== 'copy' && operator !== 'envelope',
        heldAtEnd: operator === 'pairs' ? 1 : 0,
      };
      return [channel, judge(seen, channel.events, channel.ids, rules)];
    });
  }
}

interface GapData {
  readonly reason: string;
  readonly requested: string;
  readonly oldest: string | null;
  readonly latest: string;
}
