import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Without what Chromium does on the network of its own accord. */
export const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Milliseconds until a wait gives up and says what it waited for, before Jest gives up and says nothing. */
const PATIENCE = 15_000;

/** A Chromium whose tabs are strangers to each other, and which remembers what they complained about. */
export class BrowserTabs {
  /** Errors of scripts, of the console (a violated Content-Security-Policy among them), and warnings. */
  readonly complaints: string[] = [];

  private constructor(private readonly browser: Browser) {}

  static async launch(executablePath: string): Promise<BrowserTabs> {
    return new BrowserTabs(await chromium.launch({ executablePath, headless: true, args: CHROMIUM_ARGS }));
  }

  /** Opens a page and waits until its streams are live, unless they never will be. */
  async open(url: string, options: BrowserContextOptions = {}, waitForLive = true): Promise<Page> {
    const context = await this.browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
    await page.goto(url);
    if (waitForLive) await isLive(page);
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}

/** Waits until the page says that it is connected; a page without a stream, or without one yet, is at once. */
export async function isLive(page: Page): Promise<void> {
  await page.waitForFunction(() => (document.querySelector('#state')?.textContent || 'live') === 'live');
}

/** Waits until the texts of all elements that match are these, in this order. */
export async function waitForTexts(page: Page, selector: string, texts: readonly string[]): Promise<void> {
  const expected = JSON.stringify(texts);
  await page
    .waitForFunction(
      ([selector, expected]) =>
        JSON.stringify(Array.from(document.querySelectorAll(selector!), (each) => each.textContent)) ===
        expected,
      [selector, expected],
    )
    .catch(async (error: unknown) => {
      const found = await page.locator(selector).allTextContents();
      throw new Error(`expected ${expected}, found ${JSON.stringify(found)}`, { cause: error });
    });
}

/** Whether something is wider than the window, so that the page would scroll sideways. */
export function overflows(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
}
