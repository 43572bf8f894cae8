import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeWith } from '../support/describe-with.js';
import { startDemo } from '../support/process.js';
import { composeFaults } from './compose.js';
import { allBlocks, guides } from './guides.js';
import { podFaults } from './kubernetes.js';
import { linksOf } from './markdown.js';
import { checkNginx } from './nginx.js';
import { commandsOf, Curl } from './shell.js';
import { checkTypes } from './typescript.js';

/*
 * Every code block of README.md and of the guides is checked, by its language:
 *
 *   ts, tsx, js type-checked together, as strictly as the source. A first line `// orders.channel.ts` names
 *               the block's file for other blocks' imports in the same guide; `<!-- test: with … -->` right before
 *               a block holds lines (imports, declarations) that it needs and a reader does not.
 *   json        parsed
 *   nginx       read by `nginx -t`; test/e2e/app/instances.spec.ts runs what is for several instances
 *   caddy, haproxy, apache, http, vcl
 *               other proxies' files: test/e2e/http/proxies.spec.ts runs them, with nginx; and
 *               test/trials/balanced.spec.ts what asks for the health of several instances
 *   yaml        a compose file, or a pod of Kubernetes: parsed, and compared with what it is about
 *   sh, console with `<!-- test: app -->` before it: its curl commands are run, in order, against one running
 *               app in the place of localhost:3000; below a `$ ` command a console block shows lines of its
 *               output. Otherwise every command is one that is run elsewhere, see `elsewhere`.
 *   text        not run: a picture made of letters, or bytes on the wire
 */
const of = (...languages: string[]) => allBlocks.filter(({ language }) => languages.includes(language));
const cases = (list: readonly (typeof allBlocks)[number][]) =>
  list.map((block) => [`${block.path}:${block.line}`, block] as const);

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

const code = of('ts', 'tsx', 'js');
const shell = of('sh', 'console');
const forApp = shell.filter(({ note }) => note === 'app');
const forElsewhere = shell.filter((block) => !forApp.includes(block));

it('finds code blocks, each of a kind that is checked', () => {
  const proxies = of('caddy', 'haproxy', 'apache', 'http', 'vcl');
  const checked = [...code, ...of('json', 'nginx', 'yaml', 'text'), ...proxies, ...shell];
  expect(code.length).toBeGreaterThan(0);
  expect(allBlocks.filter((block) => !checked.includes(block))).toEqual([]);
});

it('finds a README of at most 3,500 words, which leads to every guide for users', () => {
  const readme = guides.get('README.md') ?? '';
  expect(readme.split(/\s+/).length).toBeLessThanOrEqual(3_500);
  const { links } = linksOf(readme);
  const forUsers = [...guides.keys()].filter((path) => path !== 'README.md' && path !== 'src/sse/README.md');
  expect(forUsers.filter((path) => !links.includes(path))).toEqual([]);
});

describe('ts, tsx, js', () => {
  let errors: ReturnType<typeof checkTypes>;

  beforeAll(() => {
    errors = checkTypes(code);
  }, 60_000);

  it.each(cases(code))('%s compiles', (_, block) => {
    expect(errors.get(block)).toEqual([]);
  });
});

const json = of('json');
if (json.length > 0) {
  it.each(cases(json))('json of %s can be parsed', (_, block) => {
    expect(() => JSON.parse(block.code)).not.toThrow();
  });
}

describeWith('nginx', 'nginx', (nginx) => {
  it.each(cases(of('nginx')))('%s is accepted', (_, block) => checkNginx(nginx, block.code));
});

const isPod = ({ code }: { readonly code: string }): boolean => code.includes('containers:');

it.each(cases(of('yaml').filter(isPod)))('pod of %s agrees with the app', async (_, block) => {
  expect(await podFaults(block.code)).toEqual([]);
});

it.each(cases(of('yaml').filter((block) => !isPod(block))))(
  'compose file of %s agrees with the app and with nginx',
  async (_, block) => {
    expect(await composeFaults(block.code)).toEqual([]);
  },
);

it.each(cases(forElsewhere))('%s is run elsewhere', (_, block) => {
  const commands = commandsOf(block).map(({ words }) => words.join(' '));
  expect(commands.filter((command) => !(command in elsewhere))).toEqual([]);
  expect(commands).not.toEqual([]);
});

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
