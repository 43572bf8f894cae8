import { describe, expect, it } from '@jest/globals';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { describeOnEach } from '../../support/shared-server.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { startInspected, type ExplainAnswer, type Inspected } from './inspector-app.js';

/** Publishes numbered events. @returns the id of the last */
async function publish(hub: Inspected['hub'], channel: string, first: number, last = first): Promise<string> {
  let id = '';
  for (let n = first; n <= last; n++) id = await hub.publish(channel, { type: 'note', data: n });
  return id;
}

/** The one verdict on a user. */
async function verdictOn(app: Inspected, event: string, user: string, channel = 'news') {
  const answer = await app.explain(event, { user, channel });
  return { ...answer.verdicts[0]!, whole: answer };
}

const outcomes = ({ verdicts }: ExplainAnswer): string[] =>
  verdicts.map(({ user = '', outcome }) => `${user} ${outcome}`);

/** On NATS the events of all channels share their offsets. */
const offsetOf = (id: string): number => Number.parseInt(id);

/** Leaves, and waits until the server knows. */
async function leave(app: Inspected, stream: TestStream): Promise<void> {
  const { connections } = app.hub.stats();
  stream.close();
  await untilConnections(app.hub, connections - 1);
}

describe('an explanation', () => {
  it('says of three clients why none of them got an event: denied, gap, filter', async () => {
    const app = await startInspected();
    const gone = await app.stream('news', 'gina');
    await publish(app.hub, 'news', 1);
    await gone.next();
    gone.drop();
    await untilConnections(app.hub, 0);
    await app.stream('alerts', 'fred');
    const id = await publish(app.hub, 'news', 2);
    await publish(app.hub, 'news', 3, 14);
    await gone.resume();
    const secret = await app.hub.publish('secrets', { data: 'hush' });
    await expect(app.stream('secrets', 'dora')).rejects.toThrow('403');

    const denied = await verdictOn(app, secret, 'dora', 'secrets');
    expect(denied).toMatchObject({ outcome: 'denied', user: 'dora' });
    expect(denied.whole.sentence).toMatch(/of "dora" was denied the channel "secrets" \(forbidden\)/);

    const gap = await verdictOn(app, id, 'gina');
    expect(gap.outcome).toBe('gap');
    expect(gap.whole.sentence).toMatch(
      /was gone when .+"gina".+had left the log already.+"gap" event \(evicted\)/,
    );

    const hidden = await verdictOn(app, await publish(app.hub, 'news', 15), 'fred');
    expect(hidden.outcome).toBe('filtered');
    expect(hidden.whole.sentence).toMatch(
      /hidden from .+"fred".+of the types "alert", and this one is of "note"/,
    );

    // Without a user it tells of all that had to do with the channel.
    const all = await app.explain('latest', { channel: 'news' });
    expect(outcomes(all)).toEqual(['gina written', 'fred filtered', 'gina ended']);
  });

  it('says that an event was written, and of which connection', async () => {
    const app = await startInspected();
    const stream = await app.stream('news', 'ada');
    const id = await publish(app.hub, 'news', 1);
    await stream.next();
    const { whole, ...verdict } = await verdictOn(app, id, 'ada');
    expect(verdict.outcome).toBe('written');
    expect(whole.event).toMatchObject({ state: 'kept', offset: 1, data: '1' });
    const [info] = await app.hub.connections({ user: 'ada' });
    expect(verdict.connection).toBe(info!.id);
    expect((await app.explain(id, { connection: info!.id })).sentence).toBe(verdict.sentence);
  });

  it('finds the channel of an id, and takes an offset or "latest" for one', async () => {
    const app = await startInspected();
    await app.stream('news', 'ada');
    const id = await publish(app.hub, 'news', 1, 2);
    expect((await app.explain(id, {})).event.offset).toBe(2);
    expect((await app.explain('1', { channel: 'news' })).event.offset).toBe(1);
    expect((await app.explain('latest', { channel: 'news' })).event.offset).toBe(2);
    await expect(app.explain('nonsense', {})).rejects.toThrow('400');
    await expect(app.explain('1', {})).rejects.toThrow('Name the channel');
  });

  it('asks the filter of a stream again', async () => {
    const app = await startInspected();
    const stream = await app.stream('even', 'ada');
    const odd = await publish(app.hub, 'news', 1);
    const even = await publish(app.hub, 'news', 2);
    await stream.next();
    const hidden = await verdictOn(app, odd, 'ada');
    expect(hidden).toMatchObject({ outcome: 'filtered' });
    expect(hidden.sentence).toContain('the "filter" of hub.stream() answers false');
    expect((await verdictOn(app, even, 'ada')).outcome).toBe('written');
  });

  it('says that operators of the route hold an event, or have dropped it', async () => {
    const app = await startInspected();
    await app.stream('dropped', 'ada');
    const id = await publish(app.hub, 'news', 1);
    await eventually(async () => (await verdictOn(app, id, 'ada')).outcome === 'held');
  });

  it('does not claim that an event was written that operators of the route may have dropped', async () => {
    const app = await startInspected();
    const stream = await app.stream('evens', 'ada');
    const odd = await publish(app.hub, 'news', 1);
    const even = await publish(app.hub, 'news', 2);
    await stream.next();
    expect(await verdictOn(app, odd, 'ada')).toMatchObject({
      outcome: 'passed',
      sentence: expect.stringContaining('unless an operator or interceptor of the route has dropped it'),
    });
    expect((await verdictOn(app, even, 'ada')).outcome).toBe('written');
  });

  it('names a denial first, also for a channel without events', async () => {
    const app = await startInspected();
    await expect(app.stream('secrets', 'dora')).rejects.toThrow('403');
    const { sentence } = await app.explain('latest', { channel: 'secrets', user: 'dora' });
    expect(sentence).toMatch(/of "dora" was denied .+ The channel "secrets" has no events/);
  });

  it('says that an event is older than the stream', async () => {
    const app = await startInspected();
    const id = await publish(app.hub, 'news', 1);
    await app.stream('news', 'ada');
    const { outcome, sentence } = await verdictOn(app, id, 'ada');
    expect(outcome).toBe('earlier');
    expect(sentence).toContain('replay');
  });

  it('says that an event waits for a client that does not read', async () => {
    const app = await startInspected();
    const stream = await app.stream('news', 'ada');
    stream.pause();
    const backedUp = async (): Promise<boolean> => {
      await app.hub.publish('news', { data: 'x'.repeat(200_000) });
      const { rows } = await app.get<{ rows: { state: string; lag: number }[] }>('connections');
      return rows[0]!.state === 'backed up' && rows[0]!.lag > 0;
    };
    while (!(await backedUp()));
    const { outcome, sentence } = await verdictOn(app, 'latest', 'ada');
    expect(outcome).toBe('waiting');
    expect(sentence).toMatch(/does not take what was written \(\d+ bytes wait\)/);
  });

  it('says that an event was replayed to a client that came back', async () => {
    const app = await startInspected();
    const stream = await app.stream('news', 'ada');
    await publish(app.hub, 'news', 1);
    await stream.next();
    stream.drop();
    await untilConnections(app.hub, 0);
    const id = await publish(app.hub, 'news', 2);

    const away = await verdictOn(app, id, 'ada');
    expect(away.outcome).toBe('ended');
    expect(away.sentence).toMatch(/got everything up to event 1 when it ended \(its client has left\)/);

    await stream.resume();
    await stream.next();
    const back = await verdictOn(app, id, 'ada');
    expect(back.outcome).toBe('replayed');
    expect(back.sentence).toContain('when the client came back');
    expect(back.whole.verdicts).toHaveLength(2);
  });

  it('remembers a connection that is gone', async () => {
    const app = await startInspected();
    const stream = await app.stream('news', 'ada');
    const id = await publish(app.hub, 'news', 1);
    await stream.next();
    await leave(app, stream);
    const { outcome, sentence } = await verdictOn(app, id, 'ada');
    expect(outcome).toBe('written');
    expect(sentence).toContain('before the connection ended');
  });

  it('knows a channel that was revoked, and what was written before that', async () => {
    const app = await startInspected();
    const stream = await app.stream('both', 'ada');
    const before = await publish(app.hub, 'secrets', 1);
    await stream.next();
    await app.hub.revoke('ada', 'secrets');
    const after = await publish(app.hub, 'secrets', 2);
    expect((await verdictOn(app, before, 'ada', 'secrets')).outcome).toBe('written');
    const { outcome, sentence } = await verdictOn(app, after, 'ada', 'secrets');
    expect(outcome).toBe('denied');
    expect(sentence).toContain('(revoked)');
  });

  it('says that an event was pushed out, and what it knows of it still', async () => {
    const app = await startInspected();
    const id = await publish(app.hub, 'news', 1);
    await publish(app.hub, 'news', 2, 12);
    const { sentence, event } = await app.explain(id, { channel: 'news' });
    expect(sentence).toContain('is no longer in the log of "news": newer events have pushed it out');
    expect(event).toMatchObject({ state: 'gone', type: 'note' });
    // Another channel has an event at this offset.
    await app.hub.publish('secrets', { type: 'secret', data: 1 });
    expect((await app.explain('1', { channel: 'news' })).event).toMatchObject({ type: 'note' });
  });

  it('says of a connection that is gone that it did not stream the channel', async () => {
    const app = await startInspected();
    const id = await publish(app.hub, 'news', 1);
    await leave(app, await app.stream('any?channels=rooms/a', 'eve'));
    const { outcome, sentence } = await verdictOn(app, id, 'eve');
    expect(outcome).toBe('absent');
    expect(sentence).toContain('which has ended (its client has left), did not stream the channel "news"');
  });

  it('says that it knows no such event, user or connection', async () => {
    const app = await startInspected();
    const id = await publish(app.hub, 'news', 1);
    expect((await app.explain('77', { channel: 'news' })).sentence).toContain(
      'has no such event, and goes up to 1',
    );
    expect((await app.explain('1', { channel: 'empty' })).sentence).toContain('has no events');
    expect((await app.explain(id, { channel: 'news', user: 'nobody' })).sentence).toContain(
      'Nothing is known of the user "nobody"',
    );
    const connection = '0b9f3f6c-8f2b-4d0c-9a40-1f0f5f3f9e11';
    expect((await app.explain(id, { channel: 'news', connection })).verdicts).toEqual([]);
  });

  it('tells the last event that has left the log from one of another log', async () => {
    const app = await startInspected();
    const ids: string[] = [];
    for (let n = 1; n <= 15; n++) ids.push(await publish(app.hub, 'news', n));
    const stateOf = async (event: string): Promise<string> =>
      (await app.explain(event, { channel: 'news' })).event.state;
    const [last, kept] = [ids[4]!, ids[5]!];
    expect([await stateOf(last), await stateOf('5'), await stateOf(kept)]).toEqual(['gone', 'gone', 'kept']);
    const foreign = (id: string): string => id.replace(/\..*(?=....$)/, '.foreign');
    expect([await stateOf(foreign(last)), await stateOf(foreign(kept))]).toEqual(['unknown', 'unknown']);
    // Of the events before the last one, the log knows only that there were some.
    expect([await stateOf(foreign(ids[3]!)), await stateOf('0')]).toEqual(['gone', 'unknown']);
  });

  it('says that a channel was purged', async () => {
    const app = await startInspected();
    const id = await publish(app.hub, 'news', 1);
    await app.hub.purge('secrets');
    const sentence = async (): Promise<string> => (await app.explain(id, { channel: 'news' })).sentence;
    expect(await sentence()).not.toContain('purged');
    await app.hub.purge('news');
    expect(await sentence()).toContain('it was purged, or newer events have pushed it out');
  });

  it('says of a channel without history that nothing is known of its events', async () => {
    const app = await startInspected();
    await expect(app.explain('1', { channel: 'typing' })).rejects.toThrow(
      'The channel \\"typing\\" has no history',
    );
    const id = await publish(app.hub, 'news', 1);
    // Its channel is streamed by nobody.
    await expect(app.explain(id, {})).rejects.toThrow('No channel that is streamed now has this id');
  });

  it('tells of one connection that is gone by its id', async () => {
    const app = await startInspected();
    const [ada, bob] = [await app.stream('news', 'ada'), await app.stream('news', 'bob')];
    const id = await publish(app.hub, 'news', 1);
    await ada.next();
    await bob.next();
    const [{ id: connection } = { id: '' }] = await app.hub.connections({ user: 'ada' });
    await leave(app, ada);
    await leave(app, bob);
    const answer = await app.explain(id, { channel: 'news', connection });
    expect(outcomes(answer)).toEqual(['ada written']);
  });

  it('forgets the oldest when its memory is full', async () => {
    const app = await startInspected({ inspector: { memory: { bytes: 8_000 } } });
    const id = await publish(app.hub, 'news', 1);
    for (const user of ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']) {
      const stream = await app.stream('news', user);
      await leave(app, stream);
    }
    expect((await app.explain(id, { channel: 'news', user: 'sixth' })).verdicts).toHaveLength(1);
    expect((await app.explain(id, { channel: 'news', user: 'first' })).verdicts).toEqual([]);
  });
});

describeOnEach('an explanation of what happened on another instance', (shared) => {
  /** Two instances: the one that is asked, and the one that has the streams. */
  async function startTwo(): Promise<{ here: Inspected; there: Inspected }> {
    const backplane = shared();
    return { here: await startInspected({ backplane }), there: await startInspected({ backplane }) };
  }

  it('says of an event that it was stored, written and filtered, also after the end of a connection', async () => {
    const { here, there } = await startTwo();
    const stream = await there.stream('news', 'ada');
    const filtered = await there.stream('even', 'fred');
    await untilSubscribers(there.hub, 'news', 2);
    // An event that is published before the stream has its position is replayed.
    await stream.untilId();
    const id = await publish(here.hub, 'news', 1);
    await stream.next();
    const { outcome, instance, whole } = await verdictOn(here, id, 'ada');
    expect(whole.event).toMatchObject({ state: 'kept', data: '1' });
    expect(outcome).toBe('written');
    expect(instance).not.toBe((await here.get<{ here: string }>('settings')).here);
    await eventually(async () => (await verdictOn(here, id, 'fred')).outcome === 'filtered');
    expect((await verdictOn(here, id, 'fred')).sentence).toContain('the "filter" of hub.stream()');
    expect(outcomes(await here.explain(id, { channel: 'news' }))).toEqual(['ada written', 'fred filtered']);
    await leave(there, stream);
    expect((await verdictOn(here, id, 'ada')).sentence).toContain('before the connection ended');
    await leave(there, filtered);
    // Only the log of a channel that is streamed can be asked by the filter.
    const after = await verdictOn(here, id, 'fred');
    expect(after.outcome).toBe('passed');
    expect(after.sentence).toContain('unless the filter of the stream hid it');
  });

  it('says that an event was denied, and that a channel was revoked before it', async () => {
    const { here, there } = await startTwo();
    const secret = await publish(here.hub, 'secrets', 1);
    await expect(there.stream('secrets', 'dora')).rejects.toThrow('403');
    const { outcome, whole } = await verdictOn(here, secret, 'dora', 'secrets');
    expect(outcome).toBe('denied');
    expect(whole.sentence).toContain('(forbidden)');
    await there.stream('both', 'ada');
    await here.hub.revoke('ada', 'secrets');
    const after = await publish(here.hub, 'secrets', 2);
    const revoked = await verdictOn(here, after, 'ada', 'secrets');
    expect([revoked.outcome, revoked.sentence]).toEqual(['denied', expect.stringContaining('(revoked)')]);
  });

  it('says that an event was replayed, and that another had left the log before', async () => {
    const { here, there } = await startTwo();
    const stream = await there.stream('news', 'ada');
    const first = await publish(here.hub, 'news', 1);
    await stream.next();
    stream.drop();
    await untilConnections(there.hub, 0);
    const missed = await publish(here.hub, 'news', 2);
    const away = await verdictOn(here, missed, 'ada');
    expect(away.outcome).toBe('ended');
    expect(away.sentence).toContain(
      `got everything up to event ${offsetOf(first)} when it ended (its client has left)`,
    );
    await stream.resume();
    await stream.next();
    expect((await verdictOn(here, missed, 'ada')).outcome).toBe('replayed');

    const gina = await there.stream('news', 'gina');
    await publish(here.hub, 'news', 3);
    await gina.next();
    gina.drop();
    await untilConnections(there.hub, 1);
    const evicted = await publish(here.hub, 'news', 4);
    await publish(here.hub, 'news', 5, 16);
    expect((await here.explain(evicted, { channel: 'news' })).event.state).toBe('gone');
    expect((await verdictOn(here, evicted, 'gina')).sentence).toContain('The log has the event no more');
    await gina.resume();
    const { outcome, sentence, whole } = await verdictOn(here, evicted, 'gina');
    expect(outcome).toBe('gap');
    expect(sentence).toMatch(/had left the log already, and was told so by a "gap" event \(evicted\)/);
    // The instance that has published it remembers its type.
    expect(whole.event).toMatchObject({ state: 'gone', type: 'note' });
  });

  it('counts the events that a client has yet to read, and says when the log has moved past it', async () => {
    const { here, there } = await startTwo();
    const stream = await there.stream('news', 'ada');
    const next = await publish(here.hub, 'news', 1);
    await stream.next();
    stream.pause();
    const fill = (): Promise<string> => here.hub.publish('news', { data: 'x'.repeat(200_000) });
    const waiting = async (id: string): Promise<string> => {
      const { outcome, sentence } = await verdictOn(here, id, 'ada');
      return outcome === 'waiting' ? sentence : outcome;
    };
    let last = next;
    while (!(await waiting(last)).includes('does not take what was written')) last = await fill();
    // Events of other channels take offsets on NATS.
    await publish(here.hub, 'others', 1, 5);
    let sentence = '';
    await eventually(async () => {
      sentence = await waiting(last);
      return sentence.includes('this one is still to be read');
    });
    const unread = Number(/(\d+) events up to/.exec(sentence)?.[1] ?? 1);
    last = await fill();
    await eventually(async () => (await waiting(last)).includes(`and ${unread + 1} events up to this one`));

    const lost = last;
    for (let n = 0; n < 11; n++) last = await fill();
    await eventually(async () => (await verdictOn(here, lost, 'ada')).outcome === 'gap');
    expect((await verdictOn(here, lost, 'ada')).sentence).toContain('It is told of a gap when it reads on.');
    expect((await verdictOn(here, last, 'ada')).outcome).toBe('waiting');
  });

  it('knows a channel that nobody streams, of which this instance has no log', async () => {
    const { here, there } = await startTwo();
    const first = await publish(there.hub, 'news', 1);
    const last = await publish(there.hub, 'news', 2, 3);
    const offset = offsetOf(last);
    expect((await here.explain(last, { channel: 'news' })).sentence).toBe(
      `Event ${offset} is in the log of "news". No connection is known that streamed the channel.`,
    );
    const byOffset = await here.explain(String(offsetOf(first)), { channel: 'news' });
    expect(byOffset.event).toMatchObject({ state: 'kept', data: '1' });
    expect((await here.explain(String(offset + 1), { channel: 'news' })).event.state).toBe('unknown');
  });
});
