import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeWith } from '../support/describe-with.js';
import { bootApp, post, type BootedApp } from '../e2e/app/booted-app.js';
import { eventually } from '../support/eventually.js';
import { BrowserTabs, isLive, overflows, waitForTexts } from './browser-tabs.js';

const PASSWORD = 'open sesame';

describeWith('chromium', 'the chat page', (chromium) => {
  let booted: BootedApp;
  let tabs: BrowserTabs;
  let room = '';
  let rooms = 0;
  beforeAll(async () => {
    booted = await bootApp({ env: { CHAT_PASSWORD: PASSWORD } });
    tabs = await BrowserTabs.launch(chromium);
  });
  beforeEach(() => {
    room = `room-${++rooms}`;
  });
  afterAll(async () => {
    await tabs.close();
    await booted.app.close();
  });

  const enter = () => tabs.open(`${booted.url}/chat?room=${room}`);
  const tell = (text: string, from = 'Server') =>
    post(`${booted.url}/chat/rooms/${room}/messages`, { from, text });

  async function say(page: Page, from: string, text: string): Promise<void> {
    await page.getByLabel('Your name').fill(from);
    await page.getByLabel('Message', { exact: true }).fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
  }

  it('two tabs chat', async () => {
    const [mira, jonas] = [await enter(), await enter()];
    expect(await mira.getByRole('heading', { level: 1 }).textContent()).toBe(room);
    await say(mira, 'Mira', 'Hello?');
    await waitForTexts(jonas, '.what', ['Hello?']);
    await say(jonas, 'Jonas', 'Hello!');
    for (const page of [mira, jonas]) {
      await waitForTexts(page, '.what', ['Hello?', 'Hello!']);
      await waitForTexts(page, '.who', ['Mira', 'Jonas']);
    }
    expect(await mira.locator('.mine .what').allTextContents()).toEqual(['Hello?']);
    expect(await jonas.locator('.mine .what').allTextContents()).toEqual(['Hello!']);
    expect(await mira.getByLabel('Message', { exact: true }).inputValue()).toBe('');
    expect(tabs.complaints).toEqual([]);
  });

  it('shows what was said before, and remembers the name', async () => {
    await tell('one');
    await tell('two');
    const page = await enter();
    await waitForTexts(page, '.what', ['one', 'two']);
    await say(page, 'Mira', 'three');
    await waitForTexts(page, '.what', ['one', 'two', 'three']);
    await page.reload();
    await waitForTexts(page, '.what', ['one', 'two', 'three']);
    expect(await page.getByLabel('Your name').inputValue()).toBe('Mira');
  });

  it('shows what people type as text, never as HTML', async () => {
    const page = await enter();
    const html = '<img src=x onerror="document.title=`gone`"><b>bold</b> &amp;';
    await say(page, `<i>${'x'.repeat(20)}</i>`, html);
    await waitForTexts(page, '.what', [html]);
    await waitForTexts(page, '.who', [`<i>${'x'.repeat(20)}</i>`]);
    expect(await page.locator('#messages :is(img, b, i)').count()).toBe(0);
    expect(await page.title()).toContain(room);
    expect(tabs.complaints).toEqual([]);
  });

  it('shows who is here and who is typing, and that somebody has left', async () => {
    const [mira, jonas] = [await enter(), await enter()];
    for (const [page, name] of [
      [mira, 'Mira'],
      [jonas, 'Jonas'],
    ] as const) {
      await page.getByLabel('Your name').fill(name);
      await page.getByLabel('Message', { exact: true }).focus();
      await waitForTexts(mira, '#people li', ['Mira', 'Jonas'].slice(0, page === mira ? 1 : 2));
    }
    await waitForTexts(jonas, '#people li', ['Jonas', 'Mira']);
    expect(await jonas.locator('#people .me').allTextContents()).toEqual(['Jonas']);
    await waitForTexts(mira, '.note', ['Jonas has come']);

    await jonas.getByLabel('Message', { exact: true }).pressSequentially('He');
    await waitForTexts(mira, '#typing', ['Jonas is typing']);
    await say(jonas, 'Jonas', 'Hello!');
    await waitForTexts(mira, '.what', ['Hello!']);
    await waitForTexts(mira, '#typing', ['']);
    expect(await jonas.locator('#typing').textContent()).toBe('');

    await jonas.close();
    await waitForTexts(mira, '.note', ['Jonas has come', 'Jonas has left']);
    await waitForTexts(mira, '#people li', ['Mira']);
    expect(tabs.complaints).toEqual([]);
  });

  it('is known by the name it has now, and misses nothing when that changes', async () => {
    const [mira, other] = [await enter(), await enter()];
    await say(mira, 'Mira', 'one');
    await waitForTexts(other, '#people li', ['Mira']);
    await say(mira, 'Miranda', 'two');
    await waitForTexts(other, '#people li', ['Miranda']);
    await tell('three');
    for (const page of [mira, other]) await waitForTexts(page, '.what', ['one', 'two', 'three']);
    expect(tabs.complaints).toEqual([]);
  });

  it('knows who is here again after a break', async () => {
    const [mira, other] = [await enter(), await enter()];
    await say(other, 'Jonas', 'one');
    await waitForTexts(mira, '#people li', ['Jonas']);
    await mira.context().setOffline(true);
    await booted.hub.disconnect({ channel: `chat/${room}` });
    await other.close();
    await eventually(async () => (await booted.hub.presence(`chat/${room}/people`)).length === 0);
    await mira.context().setOffline(false);
    await waitForTexts(mira, '#people li', []);
    await waitForTexts(mira, '.what', ['one']);
    tabs.complaints.length = 0; // what could not be loaded meanwhile
  });

  it('asks for the password of a room that has one', async () => {
    const page = await tabs.open(`${booted.url}/chat?room=staff`, {}, false);
    const password = page.getByLabel('Password');
    await password.fill('wrong');
    await page.getByRole('button', { name: 'Enter' }).click();
    await waitForTexts(page, '#door-problem', ['this is not the password']);
    expect(await page.getByRole('log').isVisible()).toBe(false);
    expect(await page.locator('#state').textContent()).toBe('locked');

    await password.fill(PASSWORD);
    await page.keyboard.press('Enter');
    await isLive(page);
    expect(await password.isVisible()).toBe(false);
    await say(page, 'Mira', 'among us');
    await waitForTexts(page, '.what', ['among us']);
    await page.reload();
    await waitForTexts(page, '.what', ['among us']);
    tabs.complaints.length = 0; // Chromium puts a 403 into the console
  });

  it('sends with Enter, and makes a new line with Shift+Enter', async () => {
    const page = await enter();
    await page.getByLabel('Your name').fill('Mira');
    await page.getByLabel('Message', { exact: true }).focus();
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    await page.keyboard.press('Enter');
    await waitForTexts(page, '.what', ['one\ntwo']);
  });

  it('says what is wrong with a message, and keeps it', async () => {
    const page = await enter();
    await say(page, 'Mira', '   ');
    await waitForTexts(page, '#problem', ['text must not be empty']);
    expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('   ');
    tabs.complaints.length = 0; // Chromium puts a 400 into the console
  });

  it('goes to another room', async () => {
    const page = await enter();
    await page.getByLabel('Go to room').fill('another');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${booted.url}/chat?room=another`);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('another');
    await isLive(page);
  });

  it('says so when there can be no such room', async () => {
    for (const name of ['a b', 'x'.repeat(65), '../lobby']) {
      const page = await tabs.open(`${booted.url}/chat?room=${encodeURIComponent(name)}`, {}, false);
      await waitForTexts(page, '#state', ['There can be no such room']);
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(name);
    }
    expect(tabs.complaints).toEqual([]);
  });

  it('follows the talk, but not away from somebody who reads', async () => {
    for (let count = 0; count < 60; count++) await tell(`message ${count}`);
    const page = await enter();
    const isVisible = (text: string) => page.getByText(text, { exact: true }).isVisible();
    await page.getByText('message 59').waitFor();
    const log = page.getByRole('log');
    const distance = () => log.evaluate((each) => each.scrollHeight - each.scrollTop - each.clientHeight);
    expect(await distance()).toBeLessThan(2);

    await log.evaluate((each) => (each.scrollTop = 0));
    await tell('the newest');
    const newer = page.getByRole('button', { name: 'New messages' });
    await newer.waitFor();
    expect(await log.evaluate((each) => each.scrollTop)).toBe(0);
    await newer.click();
    await newer.waitFor({ state: 'hidden' });
    expect(await distance()).toBeLessThan(2);
    expect(await isVisible('the newest')).toBe(true);
  });

  it('has room for long words on a phone', async () => {
    await tell('x'.repeat(2_000), 'y'.repeat(40));
    const page = await tabs.open(`${booted.url}/chat?room=${room}`, {
      viewport: { width: 360, height: 740 },
    });
    await page.locator('.what').waitFor();
    expect(await overflows(page)).toBe(false);
    const log = page.getByRole('log');
    expect(await log.evaluate((each) => each.scrollWidth > each.clientWidth)).toBe(false);
  });
});
