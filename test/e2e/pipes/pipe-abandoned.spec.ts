import { describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import type { SseCluster, SseModuleOptions } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Feed } from '../streams/feed.js';

const start = (sse: SseModuleOptions = {}): Promise<SseApp> =>
  startSseApp({ routes: { a: (hub) => hub.stream('a') }, sse });
const startInstance = (cluster: SseCluster): Promise<SseApp> =>
  start({ backplane: (limits) => ({ backplane: new MemoryBackplane(limits), cluster }) });

describe('a source that nobody listens to', () => {
  it('is stopped after a while', async () => {
    const { hub } = await start();
    const feed = new Feed();
    const refusal = { code: 'PIPE_ABANDONED' };
    await expect(hub.pipe('a', feed, { abandonAfter: 10 })).rejects.toMatchObject(refusal);
    feed.say('one');
    await eventually(() => feed.isLeft);
    expect((await hub.history('a')).events).toMatchObject([{ type: 'error', data: 'Abandoned' }]);
  });

  it('goes on while somebody listens on another instance, and is stopped when that one has left', async () => {
    const bus = new MemoryBus();
    const [one, other] = [
      await startInstance(new MemoryCluster(bus)),
      await startInstance(new MemoryCluster(bus)),
    ];
    const client = await listen(`${other.url}/a`);
    await untilConnections(other.hub, 1);
    let isOver = false;
    const piped = one.hub.pipe('a', NEVER, { abandonAfter: 5 }).finally(() => (isOver = true));
    const refused = expect(piped).rejects.toMatchObject({ code: 'PIPE_ABANDONED' });
    await one.hub.pipe('b', NEVER, { abandonAfter: 25 }).catch(() => undefined); // that takes longer
    expect(isOver).toBe(false);
    client.close();
    await refused;
  });

  it('goes on for somebody who comes back within the time', async () => {
    const bus = new MemoryBus();
    const other = new MemoryCluster(bus);
    const counts = [0, 1, 0, 1, 0, 0];
    other.listen('sse-hub', (message, from) => {
      const { id, question } = message as { id: string; question?: unknown };
      if (question && from !== other.instance)
        void other.broadcast('sse-hub', { id, items: [counts.shift()], isLast: true });
    });
    const { hub } = await startInstance(new MemoryCluster(bus));
    const piped = hub.pipe('a', NEVER, { abandonAfter: 1 });
    await expect(piped).rejects.toMatchObject({ code: 'PIPE_ABANDONED' });
    expect(counts).toEqual([]);
  });
});
