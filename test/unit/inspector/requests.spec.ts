import type { HttpException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  answered,
  bodyOf,
  channelsQuery,
  connectionsQuery,
  explainQuery,
  requiredIn,
  textIn,
} from '../../../src/sse/inspector/requests.js';
import { SseError, type SseErrorCode } from '../../../src/sse/sse.errors.js';

describe('the query of a list', () => {
  it('may be left out', () => {
    const window = { offset: 0, limit: 50 };
    expect(connectionsQuery({})).toEqual({
      ...{ text: '', channel: undefined, state: undefined, sort: 'since', order: 'down', ...window },
    });
    expect(channelsQuery({})).toEqual({ text: '', sort: 'name', order: 'up', ...window });
    expect(explainQuery({ event: 'latest' })).toEqual({ event: 'latest' });
  });

  it('is taken as it is given, its text in lower case', () => {
    const window = { offset: '1000000', limit: '200' };
    const numbers = { offset: 1_000_000, limit: 200 };
    const connections = { channel: 'News', state: 'backed up', sort: 'waiting', order: 'up' };
    expect(connectionsQuery({ text: 'ADA', ...connections, ...window })).toEqual({
      ...{ text: 'ada', ...connections, ...numbers },
    });
    const channels = { sort: 'bytes', order: 'down' };
    expect(channelsQuery({ text: 'NEWS', ...channels, ...window })).toEqual({
      ...{ text: 'news', ...channels, ...numbers },
    });
    const explain = { event: '1', channel: 'news', connection: 'id', user: 'ada' };
    expect(explainQuery(explain)).toEqual(explain);
  });

  it.each(['since', 'user', 'path', 'lag', 'waiting', 'channels'])('sorts connections by %s', (sort) => {
    expect(connectionsQuery({ sort })).toMatchObject({ sort });
  });

  it.each(['name', 'subscribers', 'rate', 'events', 'bytes'])('sorts channels by %s', (sort) => {
    expect(channelsQuery({ sort })).toMatchObject({ sort });
  });

  it.each(['opening', 'open', 'backed up'])('asks for connections that are %s', (state) => {
    expect(connectionsQuery({ state })).toMatchObject({ state });
  });

  it.each([
    [{ sort: 'id' }, '"sort" is one of since, user, path, lag, waiting, channels.'],
    [{ order: 'left' }, '"order" is one of down, up.'],
    [{ state: 'closed' }, '"state" is one of opening, open, backed up.'],
    [{ text: ['a', 'b'] }, '"text" is a text of at most 500 characters.'],
    [{ text: 'x'.repeat(501) }, '"text" is a text of at most 500 characters.'],
    [{ limit: '201' }, '"limit" is a whole number from 0 to 200.'],
    [{ limit: '1.5' }, '"limit" is a whole number'],
    [{ limit: 'x1' }, '"limit" is a whole number'],
    [{ limit: '1x' }, '"limit" is a whole number'],
    [{ offset: '-1' }, '"offset" is a whole number from 0 to 1000000.'],
    [{ offset: '1000001' }, '"offset" is a whole number from 0 to 1000000.'],
    [{ offset: '0000000001' }, '"offset" is a whole number'],
  ])('is refused as %j', (query, message) => {
    expect(() => connectionsQuery(query)).toThrow(message);
  });

  it('is refused for channels where it is one of connections', () => {
    expect(() => channelsQuery({ sort: 'since' })).toThrow(
      '"sort" is one of name, subscribers, rate, events, bytes.',
    );
    expect(() => channelsQuery({ order: '' })).toThrow('"order" is one of up, down.');
  });
});

describe('a text', () => {
  it('that is left out or empty is none', () => {
    expect([textIn({}, 'user'), textIn({ user: '' }, 'user')]).toEqual([undefined, undefined]);
    expect(() => requiredIn({ event: '' }, 'event')).toThrow('Give "event".');
  });

  it('may be so long', () => {
    expect(textIn({ user: 'x'.repeat(500) }, 'user')).toHaveLength(500);
    // An id of several channels.
    expect(requiredIn({ event: 'x'.repeat(5_000) }, 'event')).toHaveLength(5_000);
    expect(() => requiredIn({ event: 'x'.repeat(5_001) }, 'event')).toThrow('at most 5000 characters');
  });
});

describe('the body of an action', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON'])(
    'may be %s',
    (type) => {
      expect(bodyOf(type, { channel: 'news' })).toEqual({ channel: 'news' });
    },
  );

  it.each([undefined, 'text/plain', 'application/jsonp', 'text/plain; application/json'])(
    'may not be %s',
    (type) => {
      expect(() => bodyOf(type, {})).toThrow('with the content type application/json');
    },
  );

  it.each([[[]], ['x'], [null], [undefined]])('may not be %j', (body) => {
    expect(() => bodyOf('application/json', body)).toThrow('Send a JSON object.');
  });
});

describe('answered()', () => {
  const CODES: readonly (readonly [SseErrorCode, status: number])[] = [
    ['CHANNEL_COMPLETED', 409],
    ['HUB_FULL', 503],
    ['HUB_CLOSED', 503],
    ['BACKPLANE_AWAY', 503],
    ['PUBLISH_UNCERTAIN', 503],
    ['INVALID_EVENT', 400],
  ];

  it.each(CODES)('answers %s with %d', async (code, statusCode) => {
    const failing = (): never => {
      throw new SseError(code, 'Say what to do.');
    };
    const failed = (await answered(failing).catch((error: unknown) => error)) as HttpException;
    expect(failed.getStatus()).toBe(statusCode);
    expect(failed.getResponse()).toEqual({
      statusCode,
      code,
      message: expect.stringContaining('Say what to do.'),
    });
  });

  it('gives what comes, and any other error', async () => {
    expect(await answered(() => 7)).toBe(7);
    const error = new Error('broken');
    await expect(answered(() => Promise.reject(error))).rejects.toBe(error);
  });
});
