import { Browser, Page } from './browser.js';
import { ModelServer, ModelSource, type Data, type Kind } from './model-server.js';
import type { ChannelClient } from '../../../../src/sse/client/channel.js';
import { ChannelsClient } from '../../../../src/sse/client/channels-client.js';
import { positionIn } from '../../../../src/sse/client/channel-position.js';
import { SseClient } from '../../../../src/sse/client/client.js';
import { TabsTransport } from '../../../../src/sse/client/tabs/tabs-transport.js';
import { Random } from '../../../e2e/streams/random.js';

/** Milliseconds after which all is in order again, once nothing more happens: an answer that never comes is waited for. */
const QUIET = 30_000;

/** What a tab has of a channel. */
interface Had {
  /** The position of the last event, of the last gap, or from which it began. */
  last: string | undefined;
  /** The use of a channel that the client names. */
  readonly use?: ChannelClient;
}

/** Says when it has no room, as a client whose loop takes no events. */
class Room {
  #full: { readonly room: Promise<void>; readonly free: () => void } | undefined;

  fill(): void {
    let free = (): void => undefined;
    this.#full ??= { room: new Promise<void>((resolve) => (free = resolve)), free: () => free() };
  }

  free(): void {
    this.#full?.free();
    this.#full = undefined;
  }

  get room(): Promise<void> | undefined {
    return this.#full?.room;
  }
}

class TightStream extends SseClient {
  readonly space = new Room();
  override roomIn = (): Promise<void> | undefined => this.space.room;
}

class TightChannels extends ChannelsClient {
  readonly space = new Room();
  override roomIn(): Promise<void> | undefined {
    return this.space.room;
  }
}

/** A tab with a client, whose handlers check what comes. */
class Tab {
  readonly had = new Map<string, Had>();
  #client: TightStream | TightChannels | undefined;

  constructor(
    readonly page: Page,
    private readonly world: World,
  ) {}

  get client(): TightStream | TightChannels {
    return this.#client!;
  }

  get isOpen(): boolean {
    return this.page.life !== 'gone' && this.#client?.state.kind !== 'closed';
  }

  begin(channels: readonly string[]): void {
    this.page.run(() => {
      const { server } = this.world;
      const plain = (): ModelSource => new ModelSource(server);
      const transport = new TabsTransport('model', plain);
      if (server.kind === 'channels') {
        this.#client = new TightChannels({}, transport, plain as never).start();
        for (const channel of channels) this.join(channel);
      } else {
        const client = (this.#client = new TightStream({ onGap: this.#missed }, transport));
        for (const channel of server.channels)
          this.had.set(channel, { last: undefined });
        client.on('message', this.#came);
        client.start();
      }
    });
  }

  join(channel: string): void {
    const client = this.#client as TightChannels;
    const use = client.channel(channel, { onGap: this.#missed });
    this.had.set(channel, { last: undefined, use });
    use.on('message', this.#came);
  }

  leave(channel: string): void {
    const had = this.had.get(channel);
    this.had.delete(channel);
    had?.use?.close();
  }

  #positionIn(channel: string): string {
    const { lastEventId } = this.had.get(channel)?.use ?? (this.client as TightStream);
    return positionIn(lastEventId, channel);
  }

  /** Where it begins is where it is when it is somewhere. */
  look(): void {
    if (this.#client)
      for (const [channel, had] of this.had) had.last ??= this.#positionIn(channel) || undefined;
  }

  readonly #came = (data: unknown): void => {
    const { channel, position, previous } = data as Data;
    const had = this.had.get(channel);
    if (!had) return;
    if (had.last !== undefined && had.last !== previous)
      this.world.fail(this, `has ${position} of ${channel} after ${had.last}`);
    had.last = position;
  };

  /** A gap that tells of another log may be told to one that has begun with that already. */
  readonly #missed = (gap: unknown): void => {
    const { channel, position, reason } = gap as Data & { readonly reason: string };
    const had = this.had.get(channel);
    if (!had) return;
    const [offset, life] = position.split('.').map(Number);
    const [before, lifeBefore] = (had.last ?? '').split('.').map(Number);
    if (reason === 'evicted' && life === lifeBefore && offset! < before!)
      this.world.fail(this, `is told of a gap of ${channel} up to ${position} after ${had.last}`);
    had.last = position;
  };

  /** Whether it has everything. @returns what is wrong with it */
  check(): void {
    for (const [channel, { last }] of this.had) {
      const { head, isComplete } = this.world.server.log(channel);
      if (last !== head && !(isComplete && last === undefined))
        this.world.fail(this, `has come to ${last} of ${channel}, and not to ${head}`);
    }
    const { kind } = this.client.state;
    if (kind !== 'open' && kind !== 'closed') this.world.fail(this, `is ${kind}`);
  }
}

/** The kinds of disturbance that a schedule may have. */
const FLAVOURS = ['calm', 'frozen', 'hidden', 'slow', 'lost', 'completed', 'all'] as const;

export class World {
  readonly browser: Browser;
  readonly server: ModelServer;
  readonly failures: string[] = [];
  readonly log: string[] = [];
  readonly #random: Random;
  readonly #tabs: Tab[] = [];
  readonly #flavour: (typeof FLAVOURS)[number];
  #opened = 0;

  constructor(readonly seed: number) {
    const random = (this.#random = new Random(seed * 7919));
    this.#flavour = FLAVOURS[seed % FLAVOURS.length]!;
    this.browser = new Browser(random, random.oneOf([1, 3, 10, 40]));
    this.browser.time.look = () => {
      for (const tab of this.#tabs) tab.look();
    };
    const kind = random.oneOf<Kind>(['stream', 'streams', 'channels', 'channels']);
    const note = (what: string): void => this.#note(what);
    this.server = new ModelServer(this.browser, kind, random.oneOf([5, 20, 1_000]), note);
  }

  /** Runs the schedule of the seed. @returns what went wrong */
  async run(): Promise<readonly string[]> {
    try {
      await this.#open();
      for (let left = this.#random.between(10, 60); left > 0; left--) {
        await this.#step();
        await this.#pass(this.#random.next() < 0.7 ? this.#random.between(0, 30) : this.#random.between(0, 6_000));
      }
      await this.#settle();
    } finally {
      this.browser.end();
    }
    return this.failures;
  }

  fail({ page }: { readonly page: { readonly name: string } }, what: string): void {
    this.failures.push(`Seed ${this.seed} (${this.#flavour}, ${this.server.kind}): ${page.name} ${what}.`);
  }

  async #pass(milliseconds: number): Promise<void> {
    await this.browser.time.pass(milliseconds);
  }

  #has(flavour: (typeof FLAVOURS)[number]): boolean {
    return this.#flavour === flavour || this.#flavour === 'all';
  }

  get #open_(): Tab[] {
    return this.#tabs.filter((tab) => tab.isOpen);
  }

  #note(what: string): void {
    this.log.push(`${Math.round(this.browser.time.now)} ${what}`);
  }

  async #open(): Promise<void> {
    const mayLock = !(this.#flavour === 'all' && this.#random.next() < 0.1);
    const page = new Page(this.browser, `tab ${++this.#opened}`, mayLock);
    const tab = new Tab(page, this);
    this.#tabs.push(tab);
    const channels = this.server.channels.filter(() => this.#random.next() < 0.6);
    this.#note(`${page.name} opens with ${channels.join()}${mayLock ? '' : ', alone'}`);
    tab.begin(channels.length > 0 ? channels : ['a']);
    await this.#pass(0);
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const open = this.#open_;
    const kinds: readonly (readonly [weight: number, make: () => unknown])[] = [
      [6, () => this.#publish()],
      [open.length < 5 ? 3 : 0, () => this.#open()],
      [2, () => this.#cut()],
      [1.5, () => this.#on((tab) => this.#close(tab))],
      [this.server.kind === 'channels' ? 3 : 0, () => this.#on((tab) => this.#joinOrLeave(tab))],
      [this.#has('frozen') ? 3 : 0, () => this.#on((tab) => this.#stop(tab))],
      [this.#has('frozen') ? 2 : 0, () => this.#goOn(random.oneOf(open.length > 0 ? open : this.#tabs))],
      [this.#has('hidden') ? 3 : 0, () => this.#on((tab) => this.#hideOrShow(tab))],
      [this.#has('slow') ? 3 : 0, () => this.#on((tab) => this.#fillOrFree(tab))],
      [this.#has('lost') ? 1 : 0, () => this.#lose()],
      [this.#has('completed') ? 0.3 : 0, () => this.#complete()],
    ];
    let left = random.next() * kinds.reduce((sum, [weight]) => sum + weight, 0);
    await kinds.find(([weight]) => (left -= weight) < 0)![1]();
  }

  #on(run: (tab: Tab) => void): void {
    const open = this.#open_.filter(({ page }) => page.life === 'running');
    if (open.length > 0) run(this.#random.oneOf(open));
  }

  #publish(): void {
    const channel = this.#random.oneOf(this.server.channels);
    const count = this.#random.next() < 0.8 ? this.#random.between(1, 3) : this.#random.between(4, 12);
    this.#note(`${count} events in ${channel}`);
    this.server.publish(channel, count);
  }

  #lose(): void {
    const channel = this.#random.oneOf(this.server.channels);
    this.#note(`the log of ${channel} is lost`);
    this.server.lose(channel, this.#random.between(0, 12));
  }

  #complete(): void {
    const channel = this.#random.oneOf(this.server.channels);
    this.#note(`${channel} is complete`);
    this.server.complete(channel);
  }

  #cut(): void {
    const connections = [...this.server.connections];
    if (connections.length === 0) return;
    const connection = this.#random.oneOf(connections);
    this.#note(`the stream of ${connection.page.name} is cut`);
    connection.end();
  }

  #close(tab: Tab): void {
    const how = this.#random.oneOf(['close', 'pagehide', 'crash']);
    this.#note(`${tab.page.name} ends: ${how}`);
    if (how === 'close') return tab.page.run(() => tab.client.close());
    if (how === 'pagehide') tab.page.tell(tab.page.window, 'pagehide');
    this.#end(tab);
  }

  #end({ page }: Tab): void {
    page.end();
    this.server.forget(page);
  }

  #joinOrLeave(tab: Tab): void {
    const channel = this.#random.oneOf(this.server.channels);
    this.#note(`${tab.page.name} ${tab.had.has(channel) ? 'leaves' : 'joins'} ${channel}`);
    tab.page.run(() => (tab.had.has(channel) ? tab.leave(channel) : tab.join(channel)));
  }

  #back = new Map<Tab, () => void>();

  #stop(tab: Tab): void {
    const how = this.#random.oneOf(['process', 'process', 'freeze', 'pagehide']);
    const { page } = tab;
    this.#note(`${page.name} stops: ${how}`);
    if (how === 'freeze') {
      page.tell(page.document, 'freeze');
      this.#back.set(tab, () => page.tell(page.document, 'resume'));
    } else if (how === 'pagehide') {
      page.tell(page.window, 'pagehide');
      this.#back.set(tab, () => page.tell(page.window, 'pageshow'));
    }
    // What the event has begun comes to its end first.
    this.browser.time.after(0, () => page.stop());
  }

  #goOn(tab: Tab): void {
    if (tab.page.life !== 'stopped') return;
    this.#note(`${tab.page.name} goes on`);
    tab.page.goOn();
    this.#back.get(tab)?.();
    this.#back.delete(tab);
  }

  #hideOrShow({ page }: Tab): void {
    const { document } = page;
    document.visibilityState = document.visibilityState === 'hidden' ? 'visible' : 'hidden';
    this.#note(`${page.name} is ${document.visibilityState}`);
    page.tell(document, 'visibilitychange');
  }

  #fillOrFree(tab: Tab): void {
    const { space } = tab.client;
    this.#note(`${tab.page.name} is ${space.room ? 'free' : 'full'}`);
    tab.page.run(() => (space.room ? space.free() : space.fill()));
  }

  /** Nothing happens any more, and all is in order after a while. */
  async #settle(): Promise<void> {
    this.#note('quiet');
    for (const tab of this.#tabs) {
      this.#goOn(tab);
      tab.page.document.visibilityState = 'visible';
      tab.page.run(() => tab.client.space.free());
    }
    await this.#pass(QUIET);
    const { opened } = this.server;
    for (const channel of this.server.channels) this.server.publish(channel, 2);
    await this.#pass(3_000);
    for (const tab of this.#tabs) if (tab.page.life !== 'gone' && tab.client.state.kind !== 'closed') tab.check();
    const sharing = this.#open_.filter(({ page }) => page.mayLock);
    const alone = this.#open_.length - sharing.length;
    const expected = alone + (sharing.length > 0 ? 1 : 0);
    const { size } = this.server.connections;
    const group = { page: { name: 'the group' } };
    if (size !== expected) this.fail(group, `has ${size} streams, and not ${expected}`);
    this.#checkChannels(sharing, group);
    if (this.server.opened !== opened) this.fail(group, 'opens streams for news');
    const mayFreeze = this.#has('frozen') || this.#has('hidden');
    if (!mayFreeze && this.browser.steals > 0) this.fail(group, 'takes the lead from a leader that lives');
  }
  /** The shared stream has the channels that some tab wants, and no others. */
  #checkChannels(tabs: readonly Tab[], group: Parameters<World['fail']>[0]): void {
    if (this.server.kind !== 'channels') return;
    const wanted = [...new Set(tabs.flatMap(({ had }) => [...had.keys()]))].sort().join();
    for (const { page, cursors } of this.server.connections) {
      const streamed = [...cursors.keys()].sort().join();
      if (page.mayLock && streamed !== wanted) this.fail(group, `streams ${streamed}, and wants ${wanted}`);
    }
  }
}
