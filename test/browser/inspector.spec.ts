import { describe, expect, it } from '@jest/globals';
import { startInspected, type Inspected } from '../e2e/inspector/inspector-app.js';
import { untilConnections } from '../support/sse-app.js';
import { engineOf, engines } from './engines/engine-of.js';
import type { BrowserPage } from './engines/browser-engine.js';
import { click, textOf, until } from './inspector-page.js';

/** Fills the form of "Explain" as a person does, and awaits the sentence. */
async function explain(page: BrowserPage, fields: Readonly<Record<string, string>>): Promise<string> {
  await click(page, 'Overview');
  await click(page, 'Explain');
  await until(page, `document.querySelector('input[name=event]') !== null && location.hash === '#/explain'`);
  for (const [name, value] of Object.entries(fields))
    await page.evaluate(`document.querySelector('input[name=${name}]').value = ${JSON.stringify(value)}`);
  await page.evaluate(`document.querySelector('main form').requestSubmit()`);
  await until(page, `${textOf('.sentence')} !== '' && location.hash !== '#/explain'`);
  return (await page.evaluate(textOf('.sentence'))) as string;
}

/** Three clients that did not get an event: dora, gina and fred. @returns the events by who did not get them */
async function prepare(app: Inspected): Promise<Record<'dora' | 'gina' | 'fred', string>> {
  const gone = await app.stream('news', 'gina');
  await app.hub.publish('news', { data: 'first' });
  await gone.next();
  gone.drop();
  await untilConnections(app.hub, 0);
  const gina = await app.hub.publish('news', {
    type: 'note',
    data: '<img src=x onerror="document.title=1">',
  });
  for (let n = 0; n < 12; n++) await app.hub.publish('news', { type: 'note', data: n });
  await gone.resume();
  await gone.next();
  await app.stream('alerts', 'fred');
  const fred = await app.hub.publish('news', { type: 'note', data: '<b>bold</b>' });
  const dora = await app.hub.publish('secrets', { data: 'hush' });
  await expect(app.stream('secrets', 'dora')).rejects.toThrow('403');
  return { dora, gina, fred };
}

describe.each(engines)('the inspector in %s', (_, launch) => {
  const browser = engineOf<BrowserPage>(launch);

  it('tells why each of three clients did not get an event', async () => {
    const app = await startInspected();
    const events = await prepare(app);
    const page = browser();
    await page.open(`${app.url}/inspector`);
    // The ways in: what went wrong lately, and the events of a channel.
    await until(
      page,
      `${textOf('main')}.includes('denied: forbidden') && ${textOf('main')}.includes('gap: evicted')`,
    );
    await page.evaluate(
      `[...document.querySelectorAll('main tr')].find((row) => row.textContent.includes('gap: evicted')).querySelector('td:last-child a').click()`,
    );
    await until(page, `${textOf('.sentence')}.includes('had left the log already')`);
    const dora = await explain(page, { event: events.dora, channel: 'secrets', user: 'dora' });
    expect(dora).toContain('was denied the channel "secrets" (forbidden)');
    const gina = await explain(page, { event: events.gina, channel: 'news', user: 'gina' });
    expect(gina).toContain('had left the log already');
    const fred = await explain(page, { event: events.fred, user: 'fred' });
    expect(fred).toContain('of the types "alert", and this one is of "note"');
  });

  it('keeps the focus on a link while the page is drawn anew, and the view when the head is skipped', async () => {
    const app = await startInspected();
    await prepare(app);
    const page = browser();
    await page.open(`${app.url}/inspector`);
    const focused = `document.activeElement.textContent`;
    await until(page, `${textOf('main')}.includes('denied: forbidden')`);
    await page.evaluate(`document.querySelector('main td a').focus()`);
    const name = await page.evaluate(focused);
    await page.evaluate(`new Promise((done) => {
      const old = document.activeElement;
      const look = () => (old.isConnected ? requestAnimationFrame(look) : done(true));
      look();
    })`);
    await until(page, `${focused} === ${JSON.stringify(name)}`);
    await click(page, 'Channels');
    await until(page, `location.hash === '#/channels'`);
    await page.evaluate(`document.querySelector('.skip').click()`);
    expect(await page.evaluate(`document.activeElement.id + ' ' + location.hash`)).toBe('content #/channels');
  });

  it('shows connections, a channel and its events as they come', async () => {
    const app = await startInspected();
    await prepare(app);
    const page = browser();
    await page.open(`${app.url}/inspector`);
    await until(page, `${textOf('#state')} === 'live'`);
    await click(page, 'Connections');
    await until(page, `${textOf('.list-body')}.includes('fred')`);
    await click(page, 'fred');
    await until(page, `${textOf('main table')}.includes('types alert')`);
    await click(page, 'news');
    // What an application publishes is text, whatever it looks like.
    await until(page, `${textOf('.tail')}.includes('<b>bold</b>')`);
    await app.hub.publish('news', { data: 'here it comes' });
    await until(page, `${textOf('.tail tbody tr')}.includes('here it comes')`);
    expect(await page.evaluate(`document.querySelectorAll('.tail b, .tail img').length`)).toBe(0);
  });
});
