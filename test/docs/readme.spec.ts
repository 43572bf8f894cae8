import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeWith } from '../support/describe-with.js';
import { startDemo } from '../support/process.js';
import { composeFaults } from './compose.js';
import { readme } from './deployment.js';
import { codeBlocks } from './markdown.js';
import { checkNginx } from './nginx.js';
import { commandsOf, Curl } from './shell.js';
import { checkTypes } from './typescript.js';

/*
 * Every code block of the README is checked, by its language:
 *
 *   ts, js      type-checked together, as strictly as the source. A first line `// orders.channel.ts` names
 *               the block's file for other blocks' imports; `<!-- test: with … -->` right before a block
 *               holds lines (imports, declarations) that it needs and a reader does not.
 *   json        parsed
 *   nginx       read by `nginx -t`; test/e2e/app/instances.spec.ts runs what is for several instances
 *   caddy, haproxy, apache, http, vcl
 *               other proxies' files: test/e2e/http/proxies.spec.ts runs them, with nginx
 *   yaml        a compose file: parsed, and compared with what it is about
 *   sh, console with `<!-- test: app -->` before it: its curl commands are run, in order, against one running
 *               app in the place of localhost:3000; below a `$ ` command a console block shows lines of its
 *               output. Otherwise every command is one that is run elsewhere, see `elsewhere`.
 */
const blocks = codeBlocks(readme);
const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));
const cases = (list: typeof blocks) => list.map((block) => [`line ${block.line}`, block] as const);

/** The commands that are proven by something else than this file. */
const elsewhere: Record<string, string> = {
  'npm start': 'test/package/npm-start.spec.ts',
  'npm test': '.ci/run',
  'npm run bench': 'test/bench/bench.spec.ts',
  'npm run build': '.ci/run',
  'npm run format:check': '.ci/run',
  'npm run lint': '.ci/run',
  'npm run types': '.ci/run',
  'npm install nestjs-sse-hub': 'test/package/consumer.spec.ts',
  'npm install redis': 'test/package/consumer.spec.ts',
};

const shell = of('sh', 'console');
const forApp = shell.filter(({ note }) => note === 'app');

it('has code blocks, each of a kind that is checked', () => {
  const proxies = of('caddy', 'haproxy', 'apache', 'http', 'vcl');
  const checked = [...of('ts', 'js', 'json', 'nginx', 'yaml'), ...proxies, ...shell];
  expect(blocks.length).toBeGreaterThan(0);
  expect(blocks.filter((block) => !checked.includes(block))).toEqual([]);
});

if (of('ts', 'js').length > 0) {
  describe('ts, js', () => {
    let errors: ReturnType<typeof checkTypes>;

    beforeAll(() => {
      errors = checkTypes(of('ts', 'js'));
    });

    it.each(cases(of('ts', 'js')))('%s compiles', (_, block) => {
      expect(errors.get(block)).toEqual([]);
    });
  });
}

if (of('json').length > 0) {
  it.each(cases(of('json')))('json of %s can be parsed', (_, { code }) => {
    expect(() => JSON.parse(code)).not.toThrow();
  });
}

if (of('nginx').length > 0) {
  describeWith('nginx', 'nginx', (nginx) => {
    it.each(cases(of('nginx')))('%s is accepted', (_, { code }) => checkNginx(nginx, code));
  });
}

if (of('yaml').length > 0) {
  it.each(cases(of('yaml')))('compose file of %s agrees with the app and with nginx', async (_, { code }) => {
    expect(await composeFaults(code)).toEqual([]);
  });
}

if (shell.length > forApp.length) {
  it.each(cases(shell.filter((block) => !forApp.includes(block))))('%s is run elsewhere', (_, block) => {
    const commands = commandsOf(block).map(({ words }) => words.join(' '));
    expect(commands.filter((command) => !(command in elsewhere))).toEqual([]);
    expect(commands).not.toEqual([]);
  });
}

if (forApp.length > 0) {
  describeWith('curl', 'commands against the app', (curl) => {
    let app: Awaited<ReturnType<typeof startDemo>>;
    const streams: Curl[] = [];

    beforeAll(async () => {
      app = await startDemo();
    });

    afterAll(() => app.stop());

    it.each(cases(forApp))('%s works', async (_, block) => {
      const commands = commandsOf(block);
      expect(commands).not.toEqual([]);
      for (const { words, expected } of commands) {
        expect(words[0]).toBe('curl');
        const here = words.map((word) => word.replace(/(http:\/\/)?localhost:3000/, app.url));
        expect(here).not.toEqual(words);
        const running = new Curl(curl, { words: here, expected });
        await running.isThere();
        if (running.isStream) streams.push(running);
        else await running.finish();
      }
    });

    it('every stream brings what is shown', () => Promise.all(streams.map((stream) => stream.finish())));
  });
}
