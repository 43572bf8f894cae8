import { expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import type { SseCluster } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, untilConnections, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

/** Leads when the test says so: until then nobody does, as after a leader was killed. */
class LateCluster extends MemoryCluster {
  begin = (): void => undefined;

  override lead(name: string, work: (signal: AbortSignal) => void): () => void {
    if (name !== 'sse-presence') return super.lead(name, work);
    let stop = (): void => undefined;
    this.begin = () => void (stop = super.lead(name, work));
    return () => stop();
  }
}

/** Never leads. */
class FollowingCluster extends MemoryCluster {
  override lead(): () => void {
    return () => undefined;
  }
}

/** Their logs are not shared: what is announced is seen where it is announced. */
const startOn = (cluster: SseCluster, grace = 0): Promise<SseApp> =>
  startSseApp({
    routes: { room: (hub) => hub.stream('room') },
    sse: {
      presence: { events: true, grace },
      identify: ({ query }: RouteRequest) => (query.user ? { user: query.user } : undefined),
      backplane: (limits) => ({ backplane: new MemoryBackplane(limits), cluster }),
    },
  });

async function visit(app: SseApp, user: string): Promise<void> {
  const before = app.hub.stats().connections;
  const stream = await listen(`${app.url}/room?user=${user}`);
  await untilConnections(app.hub, before + 1);
  stream.close();
  await untilConnections(app.hub, before);
}

const happened = (watcher: TestStream): string[] =>
  watcher.events.map(({ type, data }) => `${type} ${(data as { user: string }).user}`);

it('says that those have gone who came and went while nobody led, wherever they were', async () => {
  const bus = new MemoryBus();
  const late = new LateCluster(bus);
  const [leader, other] = [await startOn(late), await startOn(new FollowingCluster(bus))];
  const watcher = await listen(`${leader.url}/room`);
  await listen(`${leader.url}/room?user=cid`);
  await visit(leader, 'ada');
  await visit(other, 'bob');
  // Whoever was given this list has nothing else to learn that from.
  expect((await leader.hub.presence('room')).map(({ user }) => user)).toEqual(['cid']);
  late.begin();
  await eventually(() => happened(watcher).length === 3);
  expect(happened(watcher).sort()).toEqual(['join cid', 'leave ada', 'leave bob']);
});
