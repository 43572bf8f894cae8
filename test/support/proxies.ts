import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blockWith } from '../docs/guides.js';
import { whenTestEnds } from './clean-up.js';
import { freePort } from './free-port.js';
import { startNginx } from './nginx.js';
import { start } from './process.js';
import { temporaryFolder } from './temporary-folder.js';

interface Place {
  /** Everything that the proxy reads and writes. */
  readonly folder: string;
  /** Where it listens. */
  readonly port: number;
  /** The port of the server behind it. */
  readonly upstream: number;
}

/** How to run a proxy by the configuration that the guide gives for it. */
interface Recipe {
  readonly files: (place: Place) => Readonly<Record<string, string>>;
  readonly args: (place: Place) => readonly string[];
  /** What it prints once it listens. */
  readonly ready: RegExp;
}

/** The guide's block of that language with those words, with the place's addresses for its own. */
function configOf(language: string, { port, upstream, folder }: Place, ...words: string[]): string {
  return blockWith(language, ...words)
    .code.replaceAll('127.0.0.1:3000', `127.0.0.1:${upstream}`)
    .replaceAll('.port = "3000"', `.port = "${upstream}"`)
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace(':8080', `:${port}`)
    .replaceAll('/etc/apache2', folder);
}

/** Where Debian, Fedora and macOS have them. */
const apacheModules = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2'];

/** What a distribution has in its own files, for anybody to run. */
function apacheFrame({ folder, port }: Place): string {
  const modules = apacheModules.find((path) => existsSync(path)) ?? apacheModules[0];
  const names = ['mpm_event', 'authz_core', 'alias', 'asis', 'headers', 'proxy', 'proxy_http'];
  return [
    `ServerRoot ${folder}`,
    // Of no effect but for root, as whom it does not serve.
    'User #65534',
    'Group #65534',
    `PidFile ${folder}/apache.pid`,
    'ErrorLog "|$cat"',
    'LogLevel notice',
    'ServerName localhost',
    ...names.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`),
    `Listen 127.0.0.1:${port}`,
    '',
  ].join('\n');
}

const recipes = {
  caddy: {
    // Without a host it serves plain HTTP, and makes no certificate for the system to trust.
    files: (place) => ({
      Caddyfile: `{\n  admin off\n  auto_https off\n  default_bind 127.0.0.1\n}\n${configOf('caddy', place)}`,
    }),
    args: ({ folder }) => ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
    ready: /serving initial configuration/,
  },
  haproxy: {
    files: (place) => ({ 'haproxy.cfg': configOf('haproxy', place, 'frontend') }),
    args: ({ folder }) => ['-W', '-db', '-f', join(folder, 'haproxy.cfg')],
    ready: /Loading success/,
  },
  apache2: {
    files: (place) => ({
      'apache.conf': apacheFrame(place) + configOf('apache', place),
      'away.asis': configOf('http', place),
    }),
    args: ({ folder }) => ['-DFOREGROUND', '-f', join(folder, 'apache.conf')],
    ready: /resuming normal operations/,
  },
  varnishd: {
    files: (place) => ({ 'default.vcl': configOf('vcl', place) }),
    args: ({ folder, port }) => [
      ...['-F', '-j', 'none', '-n', join(folder, 'work'), '-s', 'malloc,16m'],
      ...['-a', `127.0.0.1:${port}`, '-f', join(folder, 'default.vcl')],
    ],
    ready: /Child starts/,
  },
} satisfies Record<string, Recipe>;

export type ProxyName = keyof typeof recipes | 'nginx';

/**
 * Starts a proxy in front of a port, with the configuration that the guide gives, and answers with its
 * address. It is stopped when the test ends.
 */
export async function startProxy(name: ProxyName, program: string, upstream: number): Promise<string> {
  if (name === 'nginx') return startNginx(program, [upstream]);
  return startBy(recipes[name], program, upstream);
}

/** Starts an HAProxy in front of these ports that asks for their health, as the guide says. */
export async function startHaproxy(program: string, upstreams: readonly number[]): Promise<string> {
  const { code } = blockWith('haproxy', 'httpchk');
  const checked = upstreams.reduce((text, port, i) => text.replace(`:${3_001 + i}`, `:${port}`), code);
  const recipe: Recipe = {
    ...recipes.haproxy,
    files: (place) => ({
      'haproxy.cfg': configOf('haproxy', place, 'frontend').replaceAll(/^ +server .*\n/gm, () => checked),
    }),
  };
  return startBy(recipe, program, 0);
}

async function startBy({ files, args, ready }: Recipe, program: string, upstream: number): Promise<string> {
  const place: Place = { folder: await temporaryFolder(), port: await freePort(), upstream };
  const { folder, port } = place;
  await chmod(folder, 0o755); // for a proxy that changes its user
  for (const [file, content] of Object.entries(files(place))) await writeFile(join(folder, file), content);
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  const { stop } = await start(program, [...args(place)], ready, { env });
  whenTestEnds(() => stop());
  return `http://127.0.0.1:${port}`;
}
