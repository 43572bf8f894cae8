import { chromium } from 'playwright-core';
import { requireProgram } from '../../support/programs.js';
import { CHROMIUM_ARGS } from '../browser-tabs.js';
import { PATIENCE, type BrowserPage, type BrowserWithTabs } from './browser-engine.js';

/** Blink, in Chromium. */
export async function launchChromium(): Promise<BrowserWithTabs> {
  const browser = await chromium.launch({
    executablePath: requireProgram('chromium'),
    headless: true,
    args: CHROMIUM_ARGS,
    timeout: PATIENCE,
  });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  const openTab = async (): Promise<BrowserPage> => {
    const page = await context.newPage();
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
