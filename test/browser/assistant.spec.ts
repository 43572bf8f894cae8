import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bootApp, type BootedApp } from '../e2e/app/booted-app.js';
import { describeWith } from '../support/describe-with.js';
import { BrowserTabs, waitForTexts } from './browser-tabs.js';

describeWith('chromium', 'the assistant', (chromium) => {
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

  it('shows the same answer after a reload in the middle and in a second tab, which stops it', async () => {
    const one = await tabs.open(`${booted.url}/assistant`);
    await one.getByLabel('Question').fill('<b>Why?</b>');
    await one.keyboard.press('Enter');
    await one.getByText('This model').waitFor();
    await one.reload();
    const two = await tabs.open(one.url());
    for (const page of [one, two])
      await page.getByText('You have asked: “<b>Why?</b>” This model is').waitFor();
    await two.getByRole('button', { name: 'Stop' }).click();
    for (const page of [one, two]) {
      await waitForTexts(page, '#outcome', ['Stopped.']);
      await waitForTexts(page, '#state', ['done']);
      expect(await page.getByRole('button', { name: 'Stop' }).isVisible()).toBe(false);
    }
    expect(await one.textContent('#words')).toBe(await two.textContent('#words'));
    expect(tabs.complaints).toEqual([]);
  });
});
