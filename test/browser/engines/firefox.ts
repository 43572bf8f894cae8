import { launch } from 'puppeteer-core';
import { requireProgram } from '../../support/programs.js';
import { PATIENCE, type BrowserPage, type BrowserWithTabs } from './browser-engine.js';

/** Gecko, in Firefox. Its driver leaves no process behind, also when this one is ended before the browser. */
export async function launchFirefox(): Promise<BrowserWithTabs> {
  const browser = await launch({
    browser: 'firefox',
    executablePath: requireProgram('firefox-esr'),
    headless: true,
    timeout: PATIENCE,
  });
  const openTab = async (): Promise<BrowserPage> => {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    return {
      open: async (url) => {
        await page.goto(url);
      },
      evaluate: (expression) => page.evaluate(expression),
      close: () => page.close(),
    };
  };
  return { ...(await openTab()), openTab, close: () => browser.close() };
}
