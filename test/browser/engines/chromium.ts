import { chromium } from 'playwright-core';
import { requireProgram } from '../../support/programs.js';
import { CHROMIUM_ARGS } from '../browser-tabs.js';
import { PATIENCE, withTabs, type BrowserWithTabs } from './browser-engine.js';

/** Blink, in Chromium. */
export async function launchChromium(): Promise<BrowserWithTabs> {
  const browser = await chromium.launch({
    executablePath: requireProgram('chromium'),
    headless: true,
    args: CHROMIUM_ARGS,
    // A page that was left is kept, as for a user.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    timeout: PATIENCE,
  });
  const context = await browser.newContext();
  return withTabs(() => context.newPage(), browser);
}
