import { Writable } from 'node:stream';
import { ConsoleLogger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { pino } from 'pino';
import { LogLine } from '../../src/sse/log-line.js';
import { sparseLine } from '../../src/sse/sparse-log.js';

const cause = new TypeError('no such row');
const line = new LogLine('An event was not published.', { channel: 'orders/7', err: cause });

/** The text that Nest's logger writes to the standard output and error. */
function written(log: () => void): string {
  let text = '';
  const note = (part: unknown): boolean => {
    text += String(part);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation(note),
  );
  log();
  spies.forEach((spy) => spy.mockRestore());
  return text;
}

describe('A line of the log', () => {
  it('is a sentence in a log of text, and the stack of its cause', () => {
    const text = written(() => new ConsoleLogger('SseHub', { colors: false }).warn(line));
    expect(text).toMatch(/\[SseHub\] An event was not published\.\nTypeError: no such row\n {4}at /);
    const plain = written(() =>
      new ConsoleLogger('SseHub', { colors: false }).warn(new LogLine('One.', { n: 1 })),
    );
    expect(plain).toMatch(/\[SseHub\] One\.\s*$/);
  });

  it('has fields in a log of JSON', () => {
    const text = written(() => new ConsoleLogger('SseHub', { json: true }).warn(line));
    expect(JSON.parse(text)).toMatchObject({
      level: 'warn',
      context: 'SseHub',
      message: {
        msg: 'An event was not published.',
        channel: 'orders/7',
        err: { name: 'TypeError', message: 'no such row', stack: expect.stringContaining('at ') },
      },
    });
  });

  it('has fields in pino, to which nestjs-pino hands them as it does here', () => {
    let text = '';
    const sink = new Writable({
      write(part, _encoding, done) {
        text += String(part);
        done();
      },
    });
    pino(sink).warn(Object.assign({ context: 'SseHub' }, line));
    expect(JSON.parse(text)).toMatchObject({
      context: 'SseHub',
      msg: 'An event was not published.',
      channel: 'orders/7',
      err: { type: 'TypeError', message: 'no such row' },
    });
  });

  it('has a message for nest-winston, which takes the fields of an object apart', () => {
    const { message, ...fields } = line;
    expect(message).toBe('An event was not published.');
    expect(fields).toMatchObject({ channel: 'orders/7' });
  });

  it('says how many of its kind were left out', () => {
    expect(String(sparseLine('Full.', 0))).toBe('Full.');
    const sparse = sparseLine('Full.', 3, { limit: 'connections' });
    expect(String(sparse)).toBe('Full. (3 more since the last such line.)');
    expect(sparse).toMatchObject({ limit: 'connections', leftOut: 3 });
  });
});
