import { expect, it } from '@jest/globals';
import { SoakServer, type Visit } from '../../support/soak.js';

const ROUNDS = 2_000;
/** Bytes for what is compiled and cached meanwhile, and for what the machine does when it is busy. */
const ALLOWED_GROWTH = 2 * 1024 * 1024;
/** Objects; each who came has had several of them. */
const ALLOWED_OBJECTS = 900;

/**
 * Each visitor is another user, but for one in seven, who is the one before once more; five at most are in one
 * room. Some leave before their stream has begun, some when it has, some when they were told that they have come.
 */
const visitOf = (number: number): Visit => {
  const isTwice = number % 7 === 1;
  const user = `user-${isTwice ? number - 1 : number}`;
  const begun = number % 3 === 0 && number % 7 > 1 ? `"user":"${user}"` : 'retry: ';
  return {
    path: `/events?room=${Math.floor(number / 5)}&user=${user}`,
    expected: number % 10 === 1 ? '' : begun,
    isReset: number % 2 === 1,
  };
};

it(`${ROUNDS} who come and go leave nothing behind`, async () => {
  const server = await SoakServer.start(new URL('./presence-soak-server.js', import.meta.url));
  await server.visitAll(500, visitOf);
  const before = await server.figuresAtRest();
  await server.visitAll(ROUNDS, visitOf);
  const after = await server.figuresAtRest();
  expect(after.stats).toMatchObject({ subscribers: 0, historyEvents: 0, historyBytes: 0 });
  expect(after.resources).toEqual(before.resources);
  const growth = (kind: string): number => after.objects[kind]! - before.objects[kind]!;
  for (const kind of ['SseConnection', 'Cursor', 'Map', 'Set', 'Timeout'])
    expect([kind, Math.max(growth(kind), 10)]).toEqual([kind, 10]);
  expect(growth('Object')).toBeLessThan(ALLOWED_OBJECTS);
  expect(after.heap - before.heap).toBeLessThan(ALLOWED_GROWTH);
});
