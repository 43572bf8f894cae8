import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { PAGES } from '../../src/app/app.setup.js';
import { describeWith } from '../support/describe-with.js';
import { bootApp, type BootedApp } from '../e2e/app/booted-app.js';
import { BrowserTabs, overflows } from './browser-tabs.js';

describeWith('chromium', 'the pages', (chromium) => {
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

  it('the home page leads to the others, and each back to it', async () => {
    const page = await tabs.open(booted.url);
    for (const name of ['Chat', 'Broadcast', 'Ticker', 'Jobs', 'Notifications', 'Assistant']) {
      await page.locator('main').getByRole('link', { name }).click();
      await page.waitForURL(`${booted.url}/${name.toLowerCase()}`);
      expect(await page.locator('[aria-current=page]').textContent()).toBe(name);
      await page.getByRole('link', { name: 'nestjs-sse-hub' }).click();
      await page.waitForURL(`${booted.url}/`);
    }
    expect(await page.locator('.demos code').first().textContent()).toContain(
      `${booted.url}/chat/rooms/lobby`,
    );
  });

  it.each(PAGES)('%s fits on a phone', async (path) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await tabs.open(booted.url + path, { viewport: { width: 360, height: 740 }, colorScheme });
      expect(await overflows(page)).toBe(false);
      await page.close();
    }
  });

  it.each(PAGES)('every field of %s has a name', async (path) => {
    const page = await tabs.open(booted.url + path);
    const nameless = await page.evaluate(() =>
      Array.from(document.querySelectorAll<HTMLInputElement>('input, select, textarea, button'))
        .filter((field) => !field.labels?.length && !field.textContent?.trim())
        .map((field) => field.outerHTML),
    );
    expect(nameless).toEqual([]);
    await page.close();
  });

  it('the policy forbids what it should', async () => {
    const page = await tabs.open(booted.url);
    const ran = await page.evaluate(async () => {
      const violated = new Promise((resolve) =>
        document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective)),
      );
      document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran = true">');
      return [await violated, 'ran' in window];
    });
    expect(ran).toEqual(['script-src-attr', false]);
    tabs.complaints.length = 0;
  });

  it('no page complains', async () => {
    for (const path of PAGES) await tabs.open(booted.url + path);
    expect(tabs.complaints).toEqual([]);
  });
});
