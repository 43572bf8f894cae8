import { afterAll, beforeAll } from '@jest/globals';
import type { BrowserEngine } from './browser-engine.js';
import { launchChromium } from './chromium.js';
import { launchFirefox } from './firefox.js';
import { launchWebKit } from './webkit.js';

export const enginesWithTabs = [
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
] as const;

export const engines = [...enginesWithTabs, ['WebKit', launchWebKit]] as const;

/** Launches a browser before the tests of a suite, and ends it after them. @returns gives it to a test */
export function engineOf<Engine extends BrowserEngine>(launch: () => Promise<Engine>): () => Engine {
  let launching: Promise<Engine>;
  let browser: Engine;
  beforeAll(async () => {
    launching = launch();
    browser = await launching;
  });
  // Also a browser that was ready too late for the tests is ended.
  afterAll(() =>
    launching.then(
      (launched) => launched.close(),
      () => undefined,
    ),
  );
  return () => browser;
}
