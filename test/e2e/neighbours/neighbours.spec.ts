import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { whenTestEnds } from '../../support/clean-up.js';
import { run, start } from '../../support/process.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { eventually } from '../../support/eventually.js';
import { idOf } from '../endpoint/endpoint-app.js';

const script = fileURLToPath(new URL('./neighbours-app.js', import.meta.url));

interface Published {
  readonly data: { readonly connections: number; readonly subscribers: number };
}

describe('An application with throttler, nestjs-cls, an envelope, sessions, helmet and compression', () => {
  it('streams, resumes and stops', async () => {
    const app = await start(process.execPath, [script], /https?:\/\/[^\s/]+:(\d+)/);
    whenTestEnds(() => app.stop('SIGKILL'));
    const url = `http://127.0.0.1:${app.match[1]!}`;
    const publish = async (): Promise<Published> =>
      (await (await fetch(`${url}/publish`)).json()) as Published;

    const client = await listen(`${url}/news`, { headers: { 'accept-encoding': 'gzip' } });
    await publish();
    expect(await client.next()).toMatchObject({ type: 'paid', text: '["hello",true]' });
    client.close();
    await eventually(async () => (await publish()).data.subscribers === 0);
    const again = await listen(`${url}/news`, { lastEventId: client.lastEventId });
    expect(await again.next()).toMatchObject({ type: 'paid', text: '["hello",true]' });

    // The throttler lets one request of a minute through, but for what it is told to skip.
    for (let i = 0; i < 3; i++) expect((await answerTo(`${url}/live`)).status).toBe(200);
    const live = await listen(`${url}/live?channel=rooms/a`);
    const id = idOf(await live.next());
    const joined = await fetch(`${url}/live/${id}/channels`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ join: ['rooms/b'] }),
    });
    expect(await joined.json()).toMatchObject({ data: { joined: ['rooms/b'] } });
    await publish();
    expect(await live.next()).toMatchObject({ type: 'said', text: 'hello' });

    await app.stop();
    for (const open of [again, live]) {
      expect(await open.ended()).toBe('ended');
      expect(open.retry).toBeGreaterThan(0);
    }
    expect(app.output().trim().split('\n')).toHaveLength(1);
  });

  it('ends a stream that app.inject() of Fastify has begun, and closes', async () => {
    const { stdout, stderr } = await run(process.execPath, [script, 'inject'], { timeout: 20_000 });
    expect([stdout.trim(), stderr]).toEqual(['injected, ended and closed', '']);
  });
});
