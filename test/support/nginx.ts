import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whenTestEnds } from './clean-up.js';
import { start } from './process.js';

/** What nginx needs to run as anybody, with its files in that folder and this in its `http` block. */
export function nginxConfig(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  return [
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;`,
    `events {}`,
    `http { access_log off; ${temporary.join(' ')}`,
    `${http} }`,
  ].join('\n');
}

/** Starts an nginx of the present test's own. It is stopped when the test ends. */
export async function startNginx(nginx: string, http: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-nginx-'));
  whenTestEnds(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'nginx.conf');
  await writeFile(config, nginxConfig(folder, http));
  // What it says once it listens.
  const { stop } = await start(nginx, ['-c', config, '-p', folder], /getrlimit/);
  whenTestEnds(stop);
}
