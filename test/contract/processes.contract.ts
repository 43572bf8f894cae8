import { expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { LEASE_TIME, type SseCluster } from '../../src/sse/cluster/cluster.js';
import { whenTestEnds } from '../support/clean-up.js';
import { eventually } from '../support/eventually.js';
import { start } from '../support/process.js';
import { LeaseHistory } from '../../src/sse/testing/contracts/leading.contract.js';

const script = fileURLToPath(new URL('./cluster-member.js', import.meta.url));

/** That an instance whose process is frozen, or ends, keeps no lease. */
export function itSurvivesProcesses(
  kind: 'redis' | 'nats',
  join: () => Promise<{ port: number; prefix: string; cluster: SseCluster }>,
): void {
  const competitors = async () => {
    const { port, prefix, cluster } = await join();
    const other = await start(process.execPath, [script, kind, String(port), prefix], /begins/);
    whenTestEnds(() => other.stop('SIGKILL'));
    const lease = new LeaseHistory();
    const give = lease.ask(cluster);
    return { other, lease, give };
  };

  it('passes a lease on when its holder is frozen, which stops when it goes on', async () => {
    const { other, lease, give } = await competitors();
    process.kill(other.pid, 'SIGSTOP');
    const frozenAt = Date.now();
    await lease.changes(1);
    expect(Date.now() - frozenAt).toBeLessThan(LEASE_TIME + 1_000);
    const thawedAt = Date.now();
    process.kill(other.pid, 'SIGCONT');
    await eventually(() => other.output().includes('ends'));
    expect(Date.now() - thawedAt).toBeLessThan(500);
    const until = Date.now() + 2_500;
    await eventually(() => Date.now() > until);
    expect(other.output()).toBe('begins\nends\n');
    expect(lease.present.size).toBe(1);
    give();
    await eventually(() => other.output() === 'begins\nends\nbegins\n');
  });

  it('passes a lease on when the process of its holder ends', async () => {
    const { other, lease } = await competitors();
    await other.stop('SIGKILL');
    const endedAt = Date.now();
    await lease.changes(1);
    expect(Date.now() - endedAt).toBeLessThan(LEASE_TIME + 1_000);
  });
}
