import { expect, it } from '@jest/globals';
import { bootApp } from '../e2e/app/booted-app.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { BrowserTabs } from './browser-tabs.js';

describeWith('chromium', 'the description of the API', (chromium) => {
  it('shows the events of a stream, and needs nothing from elsewhere', async () => {
    const { app, url } = await bootApp();
    whenTestEnds(() => app.close());
    const tabs = await BrowserTabs.launch(chromium);
    whenTestEnds(() => tabs.close());
    const page = await tabs.open('about:blank');
    const faults: string[] = [];
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    page.on('request', (request) => request.url().startsWith(url) || faults.push(request.url()));
    await page.goto(`${url}/docs`);
    await page.getByText('/chat/rooms/{room}/messages').first().click();
    const example = page.locator('.opblock.is-open .example').first();
    await example.getByText('"typing"').waitFor();
    expect(await example.textContent()).toContain('{\\"from\\":\\"string\\"}');
    expect(faults).toEqual([]);
  });
});
