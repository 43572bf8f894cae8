import { expect, it } from '@jest/globals';
import { Observable, of, share, Subject, throwError } from 'rxjs';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory.cluster.js';
import { whileLeading } from '../../../src/sse/hub/while-leading.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';

/** Two instances that want to run the same source; it shows who is subscribed to it. */
function twoInstances() {
  const bus = new MemoryBus();
  return ['a', 'b'].map((name) => {
    const cluster = new MemoryCluster(bus);
    whenTestEnds(() => cluster.close());
    const values = new Subject<string>();
    const seen: string[] = [];
    const leading = whileLeading(cluster, 'work', values);
    const subscribe = () =>
      leading.subscribe({
        next: (value) => seen.push(value),
        error: (error) => seen.push(`error: ${String(error)}`),
        complete: () => seen.push('end'),
      });
    return { cluster, values, seen, subscribe, runs: () => values.observed, say: () => values.next(name) };
  }) as [Instance, Instance];
}

interface Instance {
  cluster: MemoryCluster;
  seen: string[];
  values: Subject<string>;
  subscribe: () => { unsubscribe(): void; readonly closed: boolean };
  runs: () => boolean;
  say: () => void;
}

it('runs the source on one instance, and on the others it is silent', async () => {
  const [a, b] = twoInstances();
  a.subscribe();
  b.subscribe();
  await eventually(a.runs);
  for (const one of [a, b]) one.say();
  expect([a.seen, b.seen, b.runs()]).toEqual([['a'], [], false]);
});

it('passes it on when the one unsubscribes, and unsubscribes from the source', async () => {
  const [a, b] = twoInstances();
  const subscription = a.subscribe();
  await eventually(a.runs);
  b.subscribe();
  subscription.unsubscribe();
  expect(a.runs()).toBe(false);
  await eventually(b.runs);
  b.say();
  expect([a.seen, b.seen]).toEqual([[], ['b']]);
});

it('does not complete when the lease is lost', async () => {
  const [a, b] = twoInstances();
  const subscription = a.subscribe();
  await eventually(a.runs);
  b.subscribe();
  await a.cluster.close();
  await eventually(b.runs);
  expect([a.seen, a.runs(), subscription.closed]).toEqual([[], false, false]);
});

it.each([
  ['ends', of('a', 'b'), ['a', 'b', 'end']],
  ['fails', throwError(() => 'no'), ['error: no']],
])('tells when the source %s, and another takes over', async (_what, source, expected) => {
  const bus = new MemoryBus();
  const [one, other] = [new MemoryCluster(bus), new MemoryCluster(bus)];
  whenTestEnds(() => Promise.all([one.close(), other.close()]));
  const seen: string[] = [];
  whileLeading(one, 'work', source).subscribe({
    next: (value) => seen.push(value),
    error: (error) => seen.push(`error: ${String(error)}`),
    complete: () => seen.push('end'),
  });
  const values = new Subject<string>();
  whileLeading(other, 'work', values).subscribe();
  await eventually(() => values.observed);
  expect(seen).toEqual(expected);
});

it('asks for nothing before somebody subscribes, nor for one who has left again', async () => {
  const [a, b] = twoInstances();
  a.subscribe().unsubscribe();
  b.subscribe();
  await eventually(b.runs);
  expect([a.runs(), a.seen]).toEqual([false, []]);
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
