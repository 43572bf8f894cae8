import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { RemoteBackplane } from '../../../src/sse/backplanes/common/remote.backplane.js';
import { remoteSettings } from '../../../src/sse/backplanes/common/remote.options.js';
import type { Connection, RemoteLogs } from '../../../src/sse/backplanes/common/remote-logs.js';
import { SseError } from '../../../src/sse/sse.errors.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { settingsOf, stored } from '../../contract/backplane.contract.js';
import { Listener } from '../../contract/listener.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { entry, ServerLog } from './local-copy.trial.js';

const away = (): Promise<never> => Promise.reject(new SseError('BACKPLANE_AWAY', ''));

/** A server with one log, that tells nothing by itself, and an instance that uses it. */
function instance({ catchUp }: { readonly catchUp?: () => Promise<void> } = {}) {
  let log = new ServerLog('a');
  let reading: () => Promise<void> = () => Promise.resolve();
  let connection!: (connection: Connection) => void;
  const logs: Partial<RemoteLogs> = {
    watch: (changed) => {
      connection = changed;
      return 'up';
    },
    subscribe: async () => undefined,
    unsubscribe: () => undefined,
    readOn: async (_channel, _settings, known, asked) => {
      const answer = log.read(known, asked);
      await reading();
      return answer;
    },
    append: async () => {
      log.grow(1);
      return { position: log.head, entry: entry(log.head.offset, log.name) };
    },
    noticesArrived: async () => undefined,
    comparisonInterval: () => Infinity,
    now: () => Date.now(),
    close: async () => undefined,
  };
  const { limits } = moduleSettings();
  const backplane = new RemoteBackplane(logs as RemoteLogs, remoteSettings({}), limits, catchUp);
  whenTestEnds(() => backplane.close());
  return {
    backplane,
    connection,
    /** The log is another one. */
    replace: (name: string): void => {
      log = new ServerLog(name);
    },
    /** What each read waits for from now on. */
    readAfter: (wait: () => Promise<void>): void => {
      reading = wait;
    },
    kind: () => backplane.state().kind,
  };
}

it('does not take an event for the first of the channel while it does not hear what becomes of that', async () => {
  const { backplane, connection, replace } = instance();
  const listener = await new Listener(backplane, 'a', settingsOf()).ready;
  const { head } = listener.log;
  connection('silent');
  // A log may have come and gone.
  replace('b');
  const appending = backplane.append('a', settingsOf(), stored('x'));
  await turn(); // it has its answer
  connection('up');
  await appending;
  await eventually(() => listener.log.head.offset === 1);
  expect(listener.told[0]).toBe('replaced');
  expect(listener.log.has(head)).toBe(false);
});

describe('its state', () => {
  const follow = ({ backplane }: ReturnType<typeof instance>): Promise<Listener> =>
    new Listener(backplane, 'a', settingsOf()).ready;

  it('is away while no notices come, and ready at once where nothing is followed', async () => {
    const { connection, kind } = instance();
    expect(kind()).toBe('ready');
    connection('silent');
    expect(kind()).toBe('away');
    connection('up');
    await eventually(() => kind() === 'ready');
  });

  it('is away until the orders of the other instances were read', async () => {
    let outcome = away as () => Promise<void>;
    let attempts = 0;
    const { connection, kind } = instance({ catchUp: () => (attempts++, outcome()) });
    connection('away');
    connection('up');
    await eventually(() => attempts > 0);
    expect(kind()).toBe('away');
    outcome = () => Promise.resolve();
    await eventually(() => kind() === 'ready');
  });

  it('is behind since the loss, not since the connection is back, until a read has succeeded', async () => {
    const one = instance();
    await follow(one);
    one.readAfter(away);
    const before = performance.now();
    one.connection('away');
    const after = performance.now();
    one.connection('up');
    await eventually(() => one.kind() === 'behind');
    const { since } = one.backplane.state() as { since: number };
    expect(since).toBeGreaterThanOrEqual(before);
    expect(since).toBeLessThanOrEqual(after);
    one.readAfter(() => Promise.resolve());
    await eventually(() => one.kind() === 'ready');
  });

  it('does not take the answer to a read from before a loss for one from after it', async () => {
    const one = instance();
    await follow(one);
    const answers: (() => void)[] = [];
    one.readAfter(() => new Promise((resolve) => answers.push(resolve)));
    one.connection('silent');
    one.connection('up');
    await eventually(() => answers.length === 1);
    one.connection('silent');
    answers[0]!();
    await turn(); // it was taken in
    one.connection('up');
    await eventually(() => answers.length === 2);
    expect(one.kind()).toBe('behind');
    answers[1]!();
    await eventually(() => one.kind() === 'ready');
  });

  it('does not count a channel that nobody follows any more', async () => {
    const one = instance();
    const listener = await follow(one);
    one.readAfter(away);
    one.connection('silent');
    one.connection('up');
    await eventually(() => one.kind() === 'behind');
    listener.stop();
    expect(one.kind()).toBe('ready');
  });
});
