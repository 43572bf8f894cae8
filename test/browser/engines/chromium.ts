import { chromium } from 'playwright-core';
import { requireProgram } from '../../support/programs.js';
import { CHROMIUM_ARGS } from '../browser-tabs.js';
import { PATIENCE, type BrowserEngine } from './browser-engine.js';

/** Blink, in Chromium. */
export async function launchChromium(): Promise<BrowserEngine> {
  const browser = await chromium.launch({
    executablePath: requireProgram('chromium'),
    headless: true,
    args: CHROMIUM_ARGS,
    timeout: PATIENCE,
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  return {
    open: async (url) => {
      await page.goto(url);
    },
    evaluate: (expression) => page.evaluate(expression),
    close: () => browser.close(),
  };
}
