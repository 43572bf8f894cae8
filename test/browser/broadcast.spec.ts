import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeWith } from '../support/describe-with.js';
import { bootApp, type BootedApp } from '../e2e/app/booted-app.js';
import { BrowserTabs, waitForTexts } from './browser-tabs.js';

describeWith('chromium', 'the broadcast page', (chromium) => {
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

  async function send(page: Page, fields: { type?: string; id?: string; data: string }): Promise<void> {
    await page.getByLabel('Type').fill(fields.type ?? '');
    await page.getByLabel('Id').fill(fields.id ?? '');
    await page.getByLabel('Data').fill(fields.data);
    await page.getByRole('button', { name: 'Send to everybody' }).click();
  }

  it('sends an event to everybody, of any type, and shows who is there', async () => {
    const one = await tabs.open(`${booted.url}/broadcast`);
    await waitForTexts(one, '#count', ['1']);
    const two = await tabs.open(`${booted.url}/broadcast`);
    for (const page of [one, two]) await waitForTexts(page, '#count', ['2']);
    expect(await one.locator('#clients li').count()).toBe(2);

    await send(one, { type: 'never heard of', id: '7', data: '<b>hi</b>\nthere' });
    await waitForTexts(one, '#result', ['Sent to 2 clients.']);
    for (const page of [one, two]) {
      await waitForTexts(page, '#events .type', ['never heard of']);
      await waitForTexts(page, '#events .id', ['id 7']);
      await waitForTexts(page, '#events .data', ['<b>hi</b>\nthere']);
    }

    await two.getByLabel('JSON').check();
    await send(two, { data: '{ "a": [1, null] }' });
    for (const page of [one, two]) {
      await waitForTexts(page, '#events .type', ['message', 'never heard of']);
      await waitForTexts(page, '#events .id', ['no id', 'id 7']);
      await waitForTexts(page, '#events .data', ['{"a":[1,null]}', '<b>hi</b>\nthere']);
    }

    // The list is asked for again with the next tick.
    await two.close();
    await waitForTexts(one, '#count', ['1']);
    expect(tabs.complaints).toEqual([]);
  });

  it('shows ticks to those who want them', async () => {
    const page = await tabs.open(`${booted.url}/broadcast`);
    await page.getByLabel('Show ticks').check();
    await page.locator('#events .type', { hasText: 'tick' }).first().waitFor();
  });

  it('says what is wrong with an event', async () => {
    const page = await tabs.open(`${booted.url}/broadcast`);
    await page.getByLabel('JSON').check();
    await send(page, { data: '{' });
    await page.getByText('The data is not JSON').waitFor();
    await page.getByLabel('Text').check();
    await send(page, { type: 'gap', data: 'x' });
    await page.waitForFunction(() => /gap/.test(document.querySelector('#problem')!.textContent));
    tabs.complaints.length = 0; // Chromium puts a 400 into the console
  });
});
