import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { bootApp, post, type BootedApp } from '../e2e/app/booted-app.js';
import { describeWith } from '../support/describe-with.js';
import { startDemo, type RunningProcess } from '../support/process.js';
import { BrowserTabs, isLive, waitForTexts } from './browser-tabs.js';

const NOTICE = 'Some messages are missing here.';
/** The messages and the notices between them. */
const TALK = '#messages .what, #messages .gap';

/** Stands before the app, as a proxy does, and sees every request for a stream of messages. */
class Gate {
  readonly streams: IncomingMessage[] = [];
  /** Answers everything with a 502, as nginx does while what is behind it starts again. */
  isShut = false;
  private readonly waiting: ((request: IncomingMessage) => void)[] = [];

  constructor(server: Server) {
    const [handle] = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request').on('request', (request, response) => {
      if (request.method === 'GET' && request.url?.includes('/messages')) {
        this.streams.push(request);
        for (const resolve of this.waiting.splice(0)) resolve(request);
      }
      if (this.isShut) response.writeHead(502).end();
      else handle!(request, response);
    });
  }

  /** Breaks the connections of all streams, without a word. */
  cut(): void {
    for (const { socket } of this.streams) socket.destroy();
  }

  nextStream(): Promise<IncomingMessage> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

describeWith('chromium', 'a page whose connection is lost', (chromium) => {
  let tabs: BrowserTabs;
  let demo: (RunningProcess & { url: string }) | undefined;
  let booted: BootedApp | undefined;
  beforeAll(async () => {
    tabs = await BrowserTabs.launch(chromium);
  });
  afterAll(() => tabs.close());
  afterEach(async () => {
    await demo?.stop('SIGKILL');
    await booted?.app.close();
    demo = booted = undefined;
  });

  const say = (url: string, text: string) =>
    post(`${url}/chat/rooms/lobby/messages`, { from: 'Server', text });

  it('comes back to a server that was killed: it says that something may be missing, and doubles nothing', async () => {
    demo = await startDemo();
    const { url } = demo;
    await say(url, 'before');
    const [chat, broadcast, ticker] = await Promise.all(
      ['/chat', '/broadcast', '/ticker'].map((path) => tabs.open(url + path)),
    );
    await waitForTexts(chat!, TALK, ['before']);

    await demo.stop('SIGKILL');
    for (const page of [chat, broadcast, ticker]) await waitForTexts(page!, '#state', ['reconnecting']);
    demo = await startDemo({ PORT: new URL(url).port });
    await say(url, 'after');

    // What the server knew died with it. The page cannot have it back, but it must not hide that either.
    await waitForTexts(chat!, TALK, ['before', NOTICE, 'after']);
    for (const page of [chat, broadcast, ticker]) await isLive(page!);
    await say(url, 'later');
    await waitForTexts(chat!, TALK, ['before', NOTICE, 'after', 'later']);
    await post(`${url}/broadcast/events`, { data: 'back again' });
    await waitForTexts(broadcast!, '#events .data', ['back again']);
  });

  it('resumes though it has had no event yet: the client keeps the position that it was told', async () => {
    booted = await bootApp();
    const gate = new Gate(booted.app.getHttpServer());
    const chat = await tabs.open(`${booted.url}/chat`);
    expect(gate.streams[0]!.headers['last-event-id']).toBeUndefined();

    const resumed = gate.nextStream();
    gate.cut();
    await say(booted.url, 'meanwhile');
    expect((await resumed).headers['last-event-id']).toMatch(/./);
    await waitForTexts(chat, TALK, ['meanwhile']);
    await say(booted.url, 'after');
    await waitForTexts(chat, TALK, ['meanwhile', 'after']);
  });

  it('comes back after a 502, says when it tries, and goes on where it was', async () => {
    booted = await bootApp();
    const gate = new Gate(booted.app.getHttpServer());
    const { url } = booted;
    const chat = await tabs.open(`${url}/chat`);
    await say(url, 'before');
    await waitForTexts(chat, TALK, ['before']);

    gate.isShut = true;
    const refused = gate.nextStream();
    gate.cut();
    await waitForTexts(chat, '#state', ['reconnecting']);
    expect(await chat.locator('#next-attempt').textContent()).toMatch(/^at \d/);
    await refused;
    const resumed = gate.nextStream();
    gate.isShut = false;
    await say(url, 'meanwhile');
    expect((await resumed).headers['last-event-id']).toMatch(/./);
    await waitForTexts(chat, TALK, ['before', 'meanwhile']);
    await isLive(chat);
  });
});
