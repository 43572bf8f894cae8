/** Milliseconds that a browser has for one step, so that it fails by itself before Jest gives up. */
export const PATIENCE = 12_000;

/** A page, in as far as all engines can be driven in the same way. */
export interface BrowserPage {
  /** Opens an address in place of the page that was open, whose streams end by that. */
  open(url: string): Promise<void>;

  /**
   * Evaluates an expression in the page, and awaits it where it is a promise.
   *
   * @returns its value, as JSON carries it; rejects with the message of what it throws
   */
  evaluate(expression: string): Promise<unknown>;

  close(): Promise<void>;
}

/** One browser with one page. Closing it ends all its processes. */
export type BrowserEngine = BrowserPage;

/** A browser with further pages, as tabs of one user. */
export interface BrowserWithTabs extends BrowserEngine {
  openTab(): Promise<BrowserPage>;
}

/** What is used of a page of Playwright, or of Puppeteer. */
interface DriverPage {
  setDefaultTimeout(milliseconds: number): void;
  goto(url: string): Promise<unknown>;
  evaluate(expression: string): Promise<unknown>;
  close(): Promise<void>;
}

/** A browser whose pages a driver opens. */
export async function withTabs(
  newPage: () => Promise<DriverPage>,
  browser: { close(): Promise<void> },
): Promise<BrowserWithTabs> {
  const openTab = async (): Promise<BrowserPage> => {
    const page = await newPage();
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
