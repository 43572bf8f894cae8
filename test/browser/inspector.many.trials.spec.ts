import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { startInspected } from '../e2e/inspector/inspector-app.js';
import { whenTestEnds } from '../support/clean-up.js';
import { start } from '../support/process.js';
import { launchChromium } from './engines/chromium.js';
import { engineOf } from './engines/engine-of.js';
import { click, textOf, until } from './inspector-page.js';

const COUNT = 10_000;
/** More than a page that is 720 pixels high shows, with the rows above and below that are made for scrolling. */
const MOST_ROWS = 40;

/** Opens streams in a process of their own, which ends with the test. */
async function holdStreams(url: string, count: number): Promise<void> {
  const script = fileURLToPath(new URL('../support/hold-streams.js', import.meta.url));
  const { stop } = await start(process.execPath, [script, url, String(count)], /^open$/m);
  whenTestEnds(() => stop('SIGKILL'));
}

const ROWS = `document.querySelectorAll('.list-body .list-row').length`;
const LIST = `document.querySelector('.list')`;

describe(`the inspector of ${COUNT} connections`, () => {
  const browser = engineOf(launchChromium);

  it('counts them, draws those that are seen, scrolls to the last, and finds one', async () => {
    const app = await startInspected();
    await holdStreams(`${app.url}/news`, COUNT);
    const page = browser();
    await page.open(`${app.url}/inspector#/connections`);
    await until(page, `${textOf('main')}.includes('10,000 connections')`);
    expect(await page.evaluate(`${LIST}.getAttribute('aria-rowcount')`)).toBe(String(COUNT + 1));

    // The first click sorts downwards.
    await click(page, 'User or id');
    await until(page, `${textOf('.list-body .list-row a')} === 'user-09999'`);
    expect(await page.evaluate(ROWS)).toBeLessThan(MOST_ROWS);

    await page.evaluate(`${LIST}.scrollTop = ${LIST}.scrollHeight`);
    await until(page, `${textOf('.list-body .list-row:last-child a')} === 'user-00000'`);
    expect(await page.evaluate(ROWS)).toBeLessThan(MOST_ROWS);

    await page.evaluate(`(() => {
      const filter = document.querySelector('input[type=search]');
      filter.value = 'USER-04242';
      filter.dispatchEvent(new Event('input'));
    })()`);
    await until(page, `${textOf('main')}.includes('1 connection') && ${ROWS} === 1`);
    await click(page, 'user-04242');
    await until(
      page,
      `${textOf('main dl')}.includes('user-04242') && ${textOf('main table')}.includes('news')`,
    );
  });
});
