import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blockWith } from '../docs/guides.js';
import { whenTestEnds } from './clean-up.js';
import { freePort } from './free-port.js';
import { start } from './process.js';

/** The configuration that the guide gives for streams, with these ports in place of its own. */
function deployed(listen: number, upstreams: readonly number[], directives: string): string {
  const block = blockWith('nginx', 'location @away');
  // Its first server is the pattern of all.
  const [example = '', options = ''] = /^ *server [^\s;{]+([^;{]*);\n/m.exec(block.code) ?? [];
  const servers = upstreams.map((upstream) => `  server 127.0.0.1:${upstream}${options};\n`);
  const [, ...others] = block.code.match(/^ *server [^\s;{]+[^;{]*;\n/gm) ?? [];
  return others
    .reduce((code, other) => code.replace(other, ''), block.code)
    .replace(example, servers.join(''))
    .replace(/\blisten [^;]+;/, `listen 127.0.0.1:${listen};`)
    .replaceAll('proxy_pass ', `${directives} proxy_pass `);
}

/**
 * Starts an nginx in front of these ports, with the configuration that the guide gives, and answers with
 * its address. It is stopped when the test ends.
 *
 * @param directives more for each location
 */
export async function startNginx(
  nginx: string,
  upstreams: readonly number[],
  directives = '',
): Promise<string> {
  const { url, stop } = await runNginx(nginx, upstreams, directives);
  whenTestEnds(stop);
  return url;
}

/** The same, for several tests: whoever starts it stops it. */
export async function runNginx(
  nginx: string,
  upstreams: readonly number[],
  directives = '',
): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const config = [
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;`,
    `events { worker_connections 4096; }`,
    `http { access_log off; ${temporary.join(' ')}`,
    deployed(port, upstreams, directives),
    `}`,
  ];
  await writeFile(join(folder, 'nginx.conf'), config.join('\n'));
  // What it says once it listens.
  const running = await start(nginx, ['-c', join(folder, 'nginx.conf'), '-p', folder], /getrlimit/);
  const stop = async (): Promise<void> => {
    await running.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}
