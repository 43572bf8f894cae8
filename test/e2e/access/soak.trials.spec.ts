import { expect, it } from '@jest/globals';
import { SoakServer, type Visit } from '../../support/soak.js';

const ROUNDS = 10_000;
/** Bytes for what is compiled and cached meanwhile: less than a seventh of a kilobyte for each stream that was. */
const ALLOWED_GROWTH = 1.4 * 1024 * 1024;

/** Most leave when their stream has begun, some while it is being decided, some are denied. */
const visitOf = (number: number): Visit => ({
  path: number % 10 === 0 ? '/denied' : '/events',
  expected: number % 10 === 0 ? ' 403 ' : number % 10 === 1 ? '' : 'retry: ',
  isReset: number % 2 === 1,
});

it(`${ROUNDS} connects and disconnects leave nothing behind`, async () => {
  const server = await SoakServer.start(new URL('./soak-server.js', import.meta.url));
  await server.visitAll(1_000, visitOf);
  const before = await server.figuresAtRest();
  await server.visitAll(ROUNDS, visitOf);
  const after = await server.figuresAtRest();
  expect(after.stats).toEqual({
    ...{ connections: 0, subscribers: 0, channels: 0 },
    ...{ published: 0, failedEmits: 0, historyEvents: 0, historyBytes: 0 },
    ...{ backplane: 'ready', definitions: [], resent: 0 },
  });
  // Timers of the server itself come and go.
  expect(after.resources.Timeout ?? 0).toBeLessThanOrEqual((before.resources.Timeout ?? 0) + 2);
  expect({ ...after.resources, Timeout: 0 }).toEqual({ ...before.resources, Timeout: 0 });
  // Node keeps the context of a request with a parser that waits for the next one: a few, however many there were.
  for (const count of Object.values(after.objects)) expect(count).toBeLessThan(10);
  expect(after.heap - before.heap).toBeLessThan(ALLOWED_GROWTH);
});
