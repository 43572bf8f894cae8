import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeWith } from '../support/describe-with.js';
import { bootApp, post, type BootedApp } from '../e2e/app/booted-app.js';
import { BrowserTabs, isLive, waitForTexts } from './browser-tabs.js';
import { PATIENCE } from './engines/browser-engine.js';
import { engineOf, engines } from './engines/engine-of.js';

let booted: BootedApp;
beforeAll(async () => {
  booted = await bootApp();
});
afterAll(() => booted.app.close());

const notify = (user: string, text: string) => post(`${booted.url}/notifications/${user}`, { text });

describe.each(engines)('in %s', (name, launch) => {
  const browser = engineOf(launch);

  /** Waits until an expression is true in the page. */
  const until = (condition: string): Promise<unknown> =>
    browser().evaluate(`new Promise((resolve, reject) => {
      const end = Date.now() + ${PATIENCE};
      const look = () => {
        if (${condition}) resolve(true);
        else if (Date.now() > end) reject(new Error(document.body.innerText));
        else setTimeout(look, 20);
      };
      look();
    })`);
  const shows = (selector: string, text: string): Promise<unknown> =>
    until(`document.querySelector('${selector}')?.textContent === ${JSON.stringify(text)}`);

  it('an import is shown to its end', async () => {
    await browser().open(`${booted.url}/jobs`);
    await until(`document.readyState === 'complete'`); // and the script of the page has run
    await browser().evaluate(`document.querySelector('#file').value = 'customers.csv'`);
    await browser().evaluate(`document.querySelector('#start').requestSubmit()`);
    await shows('#outcome', 'Done.');
    await shows('#state', 'done');
    expect(await browser().evaluate(`document.querySelector('#bar').position`)).toBe(1);
  });

  it('an inbox counts what is unread', async () => {
    await notify(name, 'one');
    await browser().open(`${booted.url}/notifications?user=${name}`);
    await shows('#unread', '1 unread');
    await notify(name, 'two');
    await shows('#unread', '2 unread');
    expect(await browser().evaluate('document.title')).toMatch(/^\(2\) /);
    await browser().evaluate(`document.querySelector('#list button').click()`);
    await shows('#unread', '1 unread');
    await browser().open('about:blank');
  });
});

describeWith('chromium', 'two tabs', (chromium) => {
  let tabs: BrowserTabs;
  beforeAll(async () => {
    tabs = await BrowserTabs.launch(chromium);
  });
  afterAll(() => tabs.close());

  it('show the same import, also after a reload, and that one of them has cancelled it', async () => {
    const one = await tabs.open(`${booted.url}/jobs`);
    await one.getByLabel('File to import').selectOption('orders.csv');
    await one.getByRole('button', { name: 'Start' }).click();
    await one.getByRole('progressbar', { name: 'orders.csv' }).waitFor();
    await one.reload();
    await isLive(one);
    const two = await tabs.open(one.url());
    await two.getByRole('button', { name: 'Cancel' }).click();
    for (const page of [one, two]) {
      await waitForTexts(page, '#outcome', ['Cancelled.']);
      await waitForTexts(page, '#state', ['done']);
      expect(await page.getByRole('button', { name: 'Cancel' }).isVisible()).toBe(false);
    }
    expect(tabs.complaints).toEqual([]);
  });

  it('say so when there is no such import', async () => {
    const page = await tabs.open(`${booted.url}/jobs#00000000-0000-4000-8000-000000000000`, {}, false);
    await page.getByText('The server does not have this import').waitFor();
    await waitForTexts(page, '#state', ['refused with status 404']);
    tabs.complaints.length = 0; // Chromium puts a 404 into the console
  });

  it('agree on what is unread, by keyboard, and show text as text', async () => {
    const url = `${booted.url}/notifications?user=Ada`;
    const [one, two] = [await tabs.open(url), await tabs.open(url)];
    await one.getByLabel('Text').fill('<b>first</b>');
    await one.keyboard.press('Enter');
    await waitForTexts(one, '#result', ['Sent to Ada.']);
    await notify('Ada', 'second');
    for (const page of [one, two]) await waitForTexts(page, '#list p', ['second', '<b>first</b>']);
    await two.getByRole('button', { name: 'Mark as read: second' }).focus();
    await two.keyboard.press('Enter');
    for (const page of [one, two]) {
      await waitForTexts(page, '#unread', ['1 unread']);
      await waitForTexts(page, '#list .unread p', ['<b>first</b>']);
    }
    await two.keyboard.press('Tab');
    expect(await two.evaluate(() => document.activeElement!.getAttribute('aria-label'))).toContain('first');
    await one.getByRole('button', { name: 'Mark all as read' }).click();
    for (const page of [one, two]) await waitForTexts(page, '#unread', ['0 unread']);
    expect(tabs.complaints).toEqual([]);
  });
});
