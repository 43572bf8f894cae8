import { expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { Crowd } from './crowd.js';
import { Fleet, type Outcome } from './fleet.js';
import { Load } from './load.js';
import { describeOnEach, type SharedServer } from './servers.js';
import { CHANNEL, KEEP_ALL } from './settings.js';

/** Milliseconds. The server is away for longer, so that of what is published some is given up and some waits. */
const PUBLISH_TIMEOUT = 2_000;
const HEARTBEAT = 500;
/** Heartbeats of every stream that show that it stays open while the server is away. */
const BEATS = 5;
const CLIENTS = 20;
/** Events in a second. */
const RATE = 100;

const isId = (outcome: Outcome): boolean => 'id' in outcome;
const isCode =
  (code: string) =>
  (outcome: Outcome): boolean =>
    'code' in outcome && outcome.code === code;

describeOnEach('a server that is away', (startServer) => {
  it.each([
    {
      what: 'is stopped and started again',
      leave: (server: SharedServer) => server.stop(),
      comeBack: (server: SharedServer) => server.start(),
      refusal: 'PUBLISH_REJECTED',
    },
    {
      what: 'is frozen',
      leave: async (server: SharedServer) => server.freeze(),
      comeBack: async (server: SharedServer) => server.thaw(),
      refusal: 'PUBLISH_UNCERTAIN',
    },
  ])(
    'leaves streams open and has in the end what was said of each publish, when it $what',
    async ({ leave, comeBack, refusal }) => {
      const server = await startServer({ durable: true });
      const sse = { ...KEEP_ALL, heartbeat: HEARTBEAT };
      const remote = { publishTimeout: PUBLISH_TIMEOUT };
      const fleet = await Fleet.start({ count: 2, ...server.backplane, sse, remote });
      const crowd = new Crowd();
      for (const { url } of fleet.instances)
        await crowd.join(`${url}/events?channels=${CHANNEL}`, CLIENTS / 2);
      const load = new Load(fleet, { channel: CHANNEL, rate: RATE, retries: false });
      await eventually(() => crowd.contents.size >= RATE);

      await leave(server);
      const before = crowd.watchers.map(({ heartbeats }) => heartbeats);
      await eventually(
        () =>
          crowd.watchers.every(({ heartbeats }, i) => heartbeats >= before[i]! + BEATS) &&
          load.numbers(isCode(refusal)).length > RATE,
      );
      await comeBack(server);
      const seen = crowd.contents.size;
      await eventually(() => crowd.contents.size >= seen + RATE);
      await load.stop();

      const kept = await fleet.instances[0]!.history(CHANNEL);
      await crowd.haveSeen(kept.at(-1)!.id);
      const ids = kept.map(({ id }) => id);
      for (const { connected, gaps, ids: seenIds } of crowd.watchers) {
        expect({ connected, gaps }).toEqual({ connected: 1, gaps: [] });
        expect(seenIds).toEqual(ids);
      }
      expect(crowd.contents).toEqual(new Map(kept.map(({ id, data }) => [id, data])));

      const numbers = new Set(kept.map(({ data }) => data));
      expect(numbers.size).toBe(kept.length);
      for (const [n, outcome] of load.outcomes)
        if ('id' in outcome) expect(crowd.contents.get(outcome.id)).toBe(String(n));
      for (const n of load.numbers(isCode('PUBLISH_REJECTED'))) expect(numbers).not.toContain(n);
      const known = [isId, isCode('PUBLISH_REJECTED'), isCode('PUBLISH_UNCERTAIN')];
      expect(known.flatMap((is) => load.numbers(is))).toHaveLength(load.count);
    },
  );
});
