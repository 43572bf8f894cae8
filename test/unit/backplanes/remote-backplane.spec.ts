import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { RemoteBackplane } from '../../../src/sse/backplanes/common/remote.backplane.js';
import { remoteSettings } from '../../../src/sse/backplanes/common/remote.options.js';
import type { Connection, RemoteLogs } from '../../../src/sse/backplanes/common/remote-logs.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { settingsOf, stored } from '../../contract/backplane.contract.js';
import { Listener } from '../../contract/listener.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { entry, ServerLog } from './local-copy.trial.js';

/** A server with one log, that tells nothing by itself, and an instance that uses it. */
function instance() {
  let log = new ServerLog('a');
  let connection!: (connection: Connection) => void;
  const logs: Partial<RemoteLogs> = {
    watch: (changed) => {
      connection = changed;
      return 'up';
    },
    subscribe: async () => undefined,
    readOn: async (_channel, _settings, known, asked) => log.read(known, asked),
    append: async () => {
      log.grow(1);
      return { position: log.head, entry: entry(log.head.offset, log.name) };
    },
    noticesArrived: async () => undefined,
    comparisonInterval: () => Infinity,
    now: () => Date.now(),
    close: async () => undefined,
  };
  const backplane = new RemoteBackplane(logs as RemoteLogs, remoteSettings({}), moduleSettings().limits);
  whenTestEnds(() => backplane.close());
  return {
    backplane,
    connection,
    /** The log is another one. */
    replace: (name: string): void => {
      log = new ServerLog(name);
    },
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
