import { join } from 'node:path';
import { Controller, Get, Header } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { lmdbBackplane } from '../../src/sse/backplanes/lmdb/index.js';
import { Model, startChat } from '../e2e/ai/model-app.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { install, type Installed } from '../support/installed.js';
import { root, start as startProgram } from '../support/process.js';
import type { SseApp, SseAppOptions } from '../support/sse-app.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { BrowserTabs } from './browser-tabs.js';

/** An answer in the form that the AI SDK gives it. */
class UiModel extends Model {
  override async *ask(signal: AbortSignal): AsyncGenerator<object> {
    yield { type: 'start' };
    yield { type: 'text-start', id: 't' };
    yield* super.ask(signal);
    yield { type: 'text-end', id: 't' };
    yield { type: 'finish' };
  }
}

let script = '';

@Controller()
class PageController {
  @Get('page')
  @Header('content-type', 'text/html')
  page(): string {
    return '<!doctype html><title>Chat</title><body><script src="page.js"></script>';
  }

  @Get('page.js')
  @Header('content-type', 'text/javascript')
  script(): string {
    return script;
  }
}

const textOf = (page: Page, id: string): Promise<string | null> => page.textContent(`#${id}`);
const until = (page: Page, id: string, text: string): Promise<unknown> =>
  page.waitForFunction(([id, text]) => document.querySelector(`#${id}`)?.textContent === text, [id, text]);

/** Bundles the page with the AI SDK of the lock file, or one that is installed elsewhere. */
async function bundle(sdk?: Installed): Promise<void> {
  const names = ['ai', '@ai-sdk/react', 'react', 'react-dom'];
  const { outputFiles } = await build({
    ...{ entryPoints: [join(root, 'test/browser/ai-page.ts')], bundle: true, minify: true, write: false },
    ...{ format: 'iife', define: { 'process.env.NODE_ENV': '"development"' } },
    ...(sdk && { alias: Object.fromEntries(names.map((name) => [name, sdk.path(name)])) }),
  });
  script = outputFiles[0]!.text;
}

/** Version 7 needs Node 22 on a server. In a browser it does not matter. */
const SDK_7 = { ai: '7.0.173', '@ai-sdk/react': '4.0.177', react: '19.3.1', 'react-dom': '19.3.1' };

describeWith('chromium', 'useChat() of the AI SDK, in StrictMode', (chromium) => {
  let tabs: BrowserTabs;
  beforeAll(async () => {
    tabs = await BrowserTabs.launch(chromium);
  });
  afterAll(() => tabs.close());

  describe('version 6', () => {
    beforeAll(() => bundle());
    itResumes(() => tabs);
  });

  describe('version 7', () => {
    let sdk: Installed;
    beforeAll(async () => {
      sdk = await install(SDK_7);
      await bundle(sdk);
    });
    afterAll(() => sdk.remove());
    itResumes(() => tabs);
  });
});

function itResumes(tabs: () => BrowserTabs): void {
  const start = (model: Model, options: SseAppOptions = {}): Promise<SseApp> =>
    startChat(model, { ...options, controllers: [PageController] });

  async function open(app: SseApp, query = ''): Promise<Page> {
    const page = await tabs().open(`${app.url}/page${query}`, {}, false);
    whenTestEnds(() => page.context().close());
    return page;
  }

  /** Loads the page anew, and waits until it has found out whether there is a run to come back to. */
  async function reload(page: Page): Promise<number> {
    await page.reload();
    // A run that was under way is over by now, so what there was of it ends with an error.
    const expected = 'record.resumed.at(-1) === 204 ? "ready" : "error"';
    await page.waitForFunction(
      `record.resumed.length > 0 && document.querySelector("#status").textContent === (${expected})`,
    );
    return page.evaluate('record.resumed.at(-1)');
  }

  /** No page has ever taken a part of an answer for the whole. */
  async function expectNoneCut(...pages: Page[]): Promise<void> {
    for (const page of pages) expect(await page.evaluate('record.cut')).toEqual([]);
  }

  it('has the whole answer after a reload in the middle, and in a second tab', async () => {
    const model = new UiModel();
    const app = await start(model);
    const first = await open(app);
    await until(first, 'status', 'ready');
    await first.click('#send');
    const feed = await model.asked();
    feed.say('One, ');
    await until(first, 'answer', 'One, ');
    const second = await open(app);
    await first.reload();
    for (const page of [first, second]) await until(page, 'answer', 'One, ');
    feed.say('two, end.');
    feed.end();
    for (const page of [first, second]) {
      await until(page, 'status', 'ready');
      expect(await textOf(page, 'answer')).toBe('One, two, end.');
    }
    expect(await reload(first)).toBe(204);
    await expectNoneCut(first, second);
    expect(model.answers).toHaveLength(1);
  });

  it('stops the model, in all tabs', async () => {
    const model = new UiModel();
    const app = await start(model);
    const first = await open(app);
    await first.click('#send');
    const feed = await model.asked();
    feed.say('One, ');
    await until(first, 'answer', 'One, ');
    const second = await open(app);
    await until(second, 'answer', 'One, ');
    await first.click('#stop');
    for (const page of [first, second]) await until(page, 'status', 'ready');
    await eventually(() => model.answers[0]!.signal.aborted);
    expect([await reload(first), await textOf(first, 'answer')]).toEqual([204, '']);
  });

  it('shows an error when the model fails', async () => {
    const model = new UiModel();
    const app = await start(model);
    const page = await open(app);
    await page.click('#send');
    const feed = await model.asked();
    feed.say('One, ');
    await until(page, 'answer', 'One, ');
    feed.fail(new Error('secret'));
    await until(page, 'status', 'error');
    expect(await textOf(page, 'error')).toBe('Internal server error');
    await expectNoneCut(page);
  });

  it('shows an error when a deploy closes the application, and nothing of the answer afterwards', async () => {
    const path = await temporaryFolder();
    const model = new UiModel();
    const app = await start(model, { sse: { backplane: lmdbBackplane({ path }) } });
    const page = await open(app);
    await page.click('#send');
    (await model.asked()).say('One, ');
    await until(page, 'answer', 'One, ');
    await app.close();
    await until(page, 'status', 'error');
    await expectNoneCut(page);
    await start(model, { port: app.port, sse: { backplane: lmdbBackplane({ path }) } });
    expect([await reload(page), await textOf(page, 'answer')]).toEqual([204, '']);
  });

  it('shows an error when the server is killed, and when the page comes back to the next one', async () => {
    const [path, port] = [await temporaryFolder(), await freePort()];
    const server = (): ReturnType<typeof startProgram> =>
      startProgram(
        process.execPath,
        [join(root, 'test/browser/model-server.js'), path, `${port}`],
        /http\S+/,
      );
    const killed = await server();
    const app = await start(new UiModel());
    const query = `?api=http://127.0.0.1:${port}/chat`;
    const page = await open(app, query);
    await page.click('#send');
    await page.waitForFunction(() => document.querySelector('#answer')?.textContent?.includes('20 '));
    await killed.stop('SIGKILL');
    await until(page, 'status', 'error');
    await expectNoneCut(page);
    const next = await server();
    whenTestEnds(() => next.stop('SIGKILL'));
    // Within a second the next server finds out that the run is lost. Until then a client is given what there was.
    const status = await reload(page);
    const told = [status, await textOf(page, 'status'), await textOf(page, 'error')];
    expect(told).toEqual(status === 204 ? [204, 'ready', ''] : [200, 'error', 'Lost']);
    await expectNoneCut(page);
  });
}
