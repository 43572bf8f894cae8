import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../support/process.js';

/** Puts what belongs into `server` or `http` there; files and ports are ones that anybody may use. */
function wholeConfig(code: string, folder: string): string {
  const top = `pid ${folder}/nginx.pid;\nerror_log stderr;\n`;
  const block = code
    .replaceAll(/(\blisten\s+(?:\S+:)?)(\d{1,3})\b/g, (_, listen: string, port: string) => {
      return listen + String(Number(port) + 20_000);
    })
    .replaceAll(/(\bssl_certificate\s+)[^;]+/g, `$1${folder}/certificate.pem`)
    .replaceAll(/(\bssl_certificate_key\s+)[^;]+/g, `$1${folder}/key.pem`);
  if (/^http\b/m.test(block)) return top + block;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n');
  const server = /^(server|upstream|map)\b/m.test(block) ? block : `server {\nlisten 20080;\n${block}\n}`;
  return `${top}events {}\nhttp {\naccess_log off;\n${temporary}\n${server}\n}\n`;
}

/** Has nginx read a block of configuration; rejects with what nginx says against it. */
export async function checkNginx(nginx: string, code: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-nginx-'));
  try {
    const config = join(folder, 'nginx.conf');
    await writeFile(config, wholeConfig(code, folder));
    if (/\bssl_certificate\b/.test(code)) {
      await run('openssl', [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=example.org', '-days', '1'],
        ...['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')],
      ]);
    }
    await run(nginx, ['-t', '-q', '-c', config, '-p', folder]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
