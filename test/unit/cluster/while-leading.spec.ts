import { expect, it } from '@jest/globals';
import { Observable, of, share, Subject, throwError } from 'rxjs';
import type { Subscription } from 'rxjs';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { whileLeading } from '../../../src/sse/cluster/while-leading.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';

/** An instance that wants to run a source. */
class Instance {
  readonly cluster: MemoryCluster;
  readonly values = new Subject<string>();
  readonly seen: string[] = [];

  constructor(bus: MemoryBus) {
    this.cluster = new MemoryCluster(bus);
    whenTestEnds(() => this.cluster.close());
  }

  subscribe(source: Observable<string> = this.values): Subscription {
    return whileLeading(this.cluster, 'work', source).subscribe({
      next: (value) => this.seen.push(value),
      error: (error) => this.seen.push(`error: ${String(error)}`),
      complete: () => this.seen.push('end'),
    });
  }

  get runs(): boolean {
    return this.values.observed;
  }
}

function twoInstances(): [Instance, Instance] {
  const bus = new MemoryBus();
  return [new Instance(bus), new Instance(bus)];
}

it('runs the source on one instance, and on the others it is silent', async () => {
  const [a, b] = twoInstances();
  a.subscribe();
  b.subscribe();
  await eventually(() => a.runs);
  a.values.next('a');
  b.values.next('b');
  expect([a.seen, b.seen, b.runs]).toEqual([['a'], [], false]);
});

it('passes it on when the one unsubscribes, and unsubscribes from the source', async () => {
  const [a, b] = twoInstances();
  const subscription = a.subscribe();
  await eventually(() => a.runs);
  b.subscribe();
  subscription.unsubscribe();
  expect(a.runs).toBe(false);
  await eventually(() => b.runs);
  b.values.next('b');
  expect([a.seen, b.seen]).toEqual([[], ['b']]);
});

it('does not complete when the lease is lost', async () => {
  const [a, b] = twoInstances();
  const subscription = a.subscribe();
  await eventually(() => a.runs);
  b.subscribe();
  await a.cluster.close();
  await eventually(() => b.runs);
  expect([a.seen, a.runs, subscription.closed]).toEqual([[], false, false]);
});

it.each([
  ['ends', of('a', 'b'), ['a', 'b', 'end']],
  ['fails', throwError(() => 'no'), ['error: no']],
])('tells when the source %s, and another takes over', async (_what, source, expected) => {
  const [a, b] = twoInstances();
  a.subscribe(source);
  b.subscribe();
  await eventually(() => b.runs);
  expect(a.seen).toEqual(expected);
});

it('asks for nothing before somebody subscribes, nor for one who has left again', async () => {
  const [a, b] = twoInstances();
  a.subscribe().unsubscribe();
  b.subscribe();
  await eventually(() => b.runs);
  expect([a.runs, a.seen]).toEqual([false, []]);
});

it('asks once for all who share it', async () => {
  const cluster = new MemoryCluster();
  whenTestEnds(() => cluster.close());
  let subscriptions = 0;
  const source = new Observable<string>(() => {
    subscriptions++;
  });
  const shared = whileLeading(cluster, 'work', source).pipe(share());
  const all = [shared.subscribe(), shared.subscribe()];
  await eventually(() => subscriptions > 0);
  expect(subscriptions).toBe(1);
  for (const one of all) one.unsubscribe();
});
