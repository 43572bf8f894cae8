import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { chunk } from '../../../src/sse/protocol/event-stream.js';
import { anyText, throughUtf8 } from '../texts.js';

// A chunk of no bytes is the one that ends a body.
const someText = anyText.filter((text) => text !== '');
const someTexts = fc.array(someText, { maxLength: 6 });

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n';
const END = '0\r\n\r\n';

/** RFC 9112, 7.1.3, word for word. */
function dechunked(bytes: Buffer): Buffer {
  const body: Buffer[] = [];
  for (let rest = bytes; ;) {
    const line = rest.indexOf('\r\n');
    const size = parseInt(rest.subarray(0, line).toString('latin1'), 16);
    if (size === 0) return Buffer.concat(body);
    const end = line + 2 + size;
    body.push(rest.subarray(line + 2, end));
    expect(rest.subarray(end, end + 2).toString()).toBe('\r\n');
    rest = rest.subarray(end + 2);
  }
}

describe('a chunk of HTTP/1.1', () => {
  it('holds the UTF-8 of its text, and the next one begins where it ends', () => {
    fc.assert(
      fc.property(someTexts, (texts) => {
        const bytes = Buffer.concat([...texts.map(chunk), Buffer.from(END)]);
        expect(dechunked(bytes).toString('utf8')).toBe(texts.map(throughUtf8).join(''));
      }),
    );
  });

  it('says in hexadecimal digits how many bytes it has', () => {
    for (const length of [1, 9, 10, 15, 16, 255, 256, 4095, 4096, 65_535, 65_536, 1_000_000]) {
      const bytes = chunk('x'.repeat(length));
      expect(bytes.toString('latin1', 0, bytes.indexOf('\r'))).toBe(length.toString(16));
      expect(bytes.length).toBe(length.toString(16).length + 2 + length + 2);
    }
  });
});

describe("a body of chunks, read by Node's own client", () => {
  let server: Server;
  let url: string;
  let body: readonly string[] = [];

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.once('data', () => {
        socket.write(HEAD);
        for (const text of body) socket.write(chunk(text));
        socket.end(END);
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });

  afterAll(async () => {
    await once(server.close(), 'close');
  });

  async function received(texts: readonly string[]): Promise<string> {
    body = texts;
    return Buffer.from(await (await fetch(url)).arrayBuffer()).toString('utf8');
  }

  it('is the texts one after the other, whatever is in them', async () => {
    await fc.assert(
      fc.asyncProperty(someTexts, async (texts) => {
        expect(await received(texts)).toBe(texts.map(throughUtf8).join(''));
      }),
      { numRuns: 50 },
    );
  });

  it('is whole when its chunks are large', async () => {
    const texts = ['é'.repeat(700_000), '\r\n0\r\n\r\n', '😀'.repeat(100_000)];
    expect(await received(texts)).toBe(texts.join(''));
  });
});
