import { launch } from 'puppeteer-core';
import { requireProgram } from '../../support/programs.js';
import { PATIENCE, withTabs, type BrowserWithTabs } from './browser-engine.js';

/** Gecko, in Firefox. Its driver leaves no process behind, also when this one is ended before the browser. */
export async function launchFirefox(): Promise<BrowserWithTabs> {
  const browser = await launch({
    browser: 'firefox',
    executablePath: requireProgram('firefox-esr'),
    headless: true,
    timeout: PATIENCE,
  });
  return withTabs(() => browser.newPage(), browser);
}
