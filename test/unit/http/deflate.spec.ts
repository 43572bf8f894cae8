import { constants, createGunzip, createGzip, gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { GzipStream, takesGzip } from '../../../src/sse/http/deflate.js';
import { eventBody, idLine, SharedText } from '../../../src/sse/protocol/event-stream.js';
import { seededRandom } from '../../bench/random.js';

/** Orders as a shop would publish them: events in a row, each as it goes to clients. */
function orders(count: number, bytes: number): SharedText[] {
  const random = seededRandom(15);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const digits = (length: number): string => Array.from({ length }, () => Math.floor(random() * 10)).join('');
  const item = (): object => ({
    sku: `SKU-${digits(6)}`,
    title: pick(['Coffee beans, 1 kg', 'Filter papers', 'Hand grinder', 'Kettle 0.9 l', 'Milk jug']),
    quantity: 1 + Math.floor(random() * 4),
    price: Number(`${digits(2)}.${digits(2)}`),
  });
  const texts: SharedText[] = [];
  for (let i = 0; i < count; i++) {
    const order = {
      id: `o-${digits(8)}`,
      status: pick(['paid', 'packed', 'shipped', 'delivered']),
      customer: `c-${digits(5)}`,
      at: new Date(1_790_000_000_000 + i * 1_370).toISOString(),
      items: [item()],
    };
    while (JSON.stringify(order).length < bytes - 60) order.items.push(item());
    const text = new SharedText(
      idLine(`${i.toString(36)}-${digits(9)}`) + eventBody({ type: 'order', data: JSON.stringify(order) }),
    );
    text.follows = texts.at(-1);
    texts.push(text);
  }
  return texts;
}

/** The bytes for a client that gets these texts one after the other; a string is a text of its own. */
function streamOf(texts: readonly (SharedText | string)[]): Buffer {
  const gzip = new GzipStream();
  const blocks = texts.map((text) => (typeof text === 'string' ? gzip.text(text) : gzip.shared(text)).bytes);
  return Buffer.concat([new GzipStream().begin(''), ...blocks, gzip.end().bytes]);
}

/** The text of a whole stream; throws if its trailer is wrong. */
const decoded = (bytes: Buffer): string => gunzipSync(bytes).toString();

const textOf = (texts: readonly SharedText[]): string => texts.map(({ text }) => text).join('');

/** The bytes that a compression of its own for one client makes of these texts, each flushed. */
async function ownGzip(texts: readonly SharedText[]): Promise<number> {
  const gzip = createGzip();
  let bytes = 0;
  gzip.on('data', (part: Buffer) => (bytes += part.length));
  for (const { text } of texts) {
    gzip.write(text);
    await new Promise<void>((done) => gzip.flush(constants.Z_SYNC_FLUSH, done));
  }
  gzip.destroy();
  return bytes;
}

describe('a stream that is compressed once for all', () => {
  it.each([200, 2_000])('decodes from every point of joining, with events of %i bytes', (bytes) => {
    const texts = orders(60, bytes);
    for (let from = 0; from < texts.length; from++) {
      const rest = texts.slice(from);
      expect(decoded(streamOf(rest))).toBe(textOf(rest));
    }
  });

  it('decodes block by block, as each comes', async () => {
    const texts = orders(20, 200);
    const gunzip = createGunzip();
    const gzip = new GzipStream();
    gunzip.write(gzip.begin(''));
    for (const text of texts) {
      const came = new Promise<string>((resolve) => {
        let got = '';
        const take = (part: Buffer): void => {
          got += part.toString();
          if (got.length < text.text.length) return;
          gunzip.off('data', take);
          resolve(got);
        };
        gunzip.on('data', take);
      });
      gunzip.write(gzip.shared(text).bytes);
      expect(await came).toBe(text.text);
    }
    gunzip.destroy();
  });

  it('refers only to the text that the client got right before', () => {
    const [first, second, third] = orders(3, 200) as [SharedText, SharedText, SharedText];
    // The client has missed the second, and then is sent a text of its own.
    expect(decoded(streamOf([first, third, ':\n', second]))).toBe(
      first.text + third.text + ':\n' + second.text,
    );
    expect(decoded(streamOf([first, second, third, third, second]))).toBe(
      textOf([first, second, third, third, second]),
    );
  });

  it('chains texts that are longer than the window', () => {
    const long = [0, 1].map((i) => new SharedText(`${String(i)}${'0123456789abcdef'.repeat(5_000)}é\n`));
    (long[1] as SharedText).follows = long[0];
    expect(decoded(streamOf(long))).toBe(textOf(long));
  });

  it('decodes whatever is sent to whom, in whatever order', () => {
    const random = seededRandom(4);
    const upTo = (most: number): number => Math.floor(random() * most);
    const texts = orders(50, 200);
    for (let client = 0; client < 200; client++) {
      let next = upTo(texts.length);
      const sent = Array.from({ length: upTo(30) }, () => {
        const kind = upTo(6);
        if (kind === 0) return 'é'.repeat(upTo(100));
        if (kind === 1) next = upTo(texts.length); // a client that has lagged, or an operator that reorders
        return texts[next++ % texts.length] as SharedText;
      });
      const plain = sent.map((text) => (typeof text === 'string' ? text : text.text)).join('');
      expect(decoded(streamOf(sent))).toBe(plain);
    }
  });

  // The goals: at 200 bytes at most 1.75 times the bytes of a compression of its own for each client, at 2,000 at most 4 times.
  it.each([
    [200, 1.75],
    [2_000, 4],
  ])('takes few more bytes than a compression of its own, with events of %i bytes', async (bytes, most) => {
    const texts = orders(300, bytes);
    const shared = streamOf(texts).length;
    const plain = Buffer.byteLength(textOf(texts));
    const own = await ownGzip(texts);
    expect(shared / own).toBeLessThan(most);
    expect(shared).toBeLessThan(plain);
  });
});

describe('Accept-Encoding', () => {
  it.each([
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000', false],
    ['br, zstd', false],
    ['*', false],
    ['', false],
    [undefined, false],
  ])('%j', (accepted, takes) => {
    expect(takesGzip(accepted)).toBe(takes);
  });
});
