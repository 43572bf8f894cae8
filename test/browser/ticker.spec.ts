import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { bootApp, type BootedApp } from '../e2e/app/booted-app.js';
import { BrowserTabs, waitForTexts } from './browser-tabs.js';

describeWith('chromium', 'the ticker page', (chromium) => {
  let booted: BootedApp;
  let tabs: BrowserTabs;
  beforeAll(async () => {
    booted = await bootApp();
    tabs = await BrowserTabs.launch(chromium);
  });
  afterAll(async () => {
    await tabs.close();
    await booted.app.close();
  });

  /** Resolves when the text of an element is another one. */
  async function changes(page: Page, selector: string): Promise<string> {
    const before = await page.locator(selector).textContent();
    await page.waitForFunction(
      ([selector, before]) => document.querySelector(selector!)!.textContent !== before,
      [selector, before],
    );
    return (await page.locator(selector).textContent()) ?? '';
  }

  /** How many points of the chart's canvas are painted. */
  const painted = (page: Page) =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#chart canvas');
      const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
      return pixels?.filter((value, index) => index % 4 === 3 && value > 0).length ?? 0;
    });

  it('shows the time and the counter, which is the same in two tabs', async () => {
    const one = await tabs.open(`${booted.url}/ticker`);
    expect(await changes(one, '#time')).toMatch(/^\d\d:\d\d:\d\d$/);
    const two = await tabs.open(`${booted.url}/ticker`);
    const num = await changes(one, '#num');
    await two.waitForFunction((num) => document.querySelector('#num')!.textContent === num, num);
    expect(Number(num)).toBeGreaterThan(0);
  });

  it('draws the quotes, and only those that are chosen', async () => {
    const page = await tabs.open(`${booted.url}/ticker`);
    await page.getByLabel('TIDAL').waitFor();
    await waitForTexts(page, '.symbol span:first-of-type', ['FJORD', 'HERON', 'MAPLE', 'ONYX', 'TIDAL']);
    await page.waitForFunction(() => document.querySelector('#chart canvas'));
    expect(await painted(page)).toBeGreaterThan(0);
    await changes(page, '.symbol:has([value=ONYX]) .price');

    const asked = page.waitForRequest(/quotes\?symbols=HERON%2CMAPLE|quotes\?symbols=HERON,MAPLE/);
    for (const name of ['FJORD', 'ONYX', 'TIDAL']) await page.getByLabel(name).uncheck();
    const url = new URL((await asked).url());
    // It goes on where the stream of all symbols was.
    expect(url.searchParams.get('lastEventId')).toContain('HERON');
    await changes(page, '.symbol:has([value=HERON]) .price');
    expect(await page.locator('.symbol:has([value=ONYX]) .price').isVisible()).toBe(false);

    await page.getByLabel('ONYX').check();
    await changes(page, '.symbol:has([value=ONYX]) .price');
    for (const name of ['HERON', 'MAPLE', 'ONYX']) await page.getByLabel(name).uncheck();
    await page.waitForFunction(() => document.querySelector('#state')!.textContent === 'live');
    expect(tabs.complaints).toEqual([]);
  });

  it('gives its connections back while nobody sees it, and goes on when somebody does', async () => {
    const page = await tabs.open(`${booted.url}/ticker`);
    await changes(page, '#time');
    const { connections } = booted.hub.stats();
    const setHidden = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);

    await setHidden(true);
    await eventually(() => booted.hub.stats().connections === connections - 3);
    await setHidden(false);
    await changes(page, '#time');
    await changes(page, '#num');
    expect(booted.hub.stats().connections).toBe(connections);
    expect(tabs.complaints).toEqual([]);
  });
});
