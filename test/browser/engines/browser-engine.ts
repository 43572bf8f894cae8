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
