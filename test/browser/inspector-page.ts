import type { BrowserPage } from './engines/browser-engine.js';

/** Runs an expression in the page until it is true. */
export const until = (page: BrowserPage, condition: string): Promise<unknown> =>
  page.evaluate(`new Promise((resolve, reject) => {
    const begun = Date.now();
    const look = () => {
      if (${condition}) resolve(true);
      else if (Date.now() - begun > 10_000) reject(new Error(document.body.innerText));
      else requestAnimationFrame(look);
    };
    look();
  })`);

export const textOf = (selector: string): string =>
  `(document.querySelector(${JSON.stringify(selector)})?.textContent ?? '')`;

/** Clicks on the first link or button with this text. */
export const click = async (page: BrowserPage, text: string): Promise<void> => {
  const found = `[...document.querySelectorAll('a, button')].find((one) => one.textContent === ${JSON.stringify(text)})`;
  await until(page, `${found} !== undefined`);
  await page.evaluate(`${found}.click()`);
};
