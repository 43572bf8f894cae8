import { crc32 } from 'node:zlib';

/*
 * The CRC-32 of texts that are joined, from those of the texts (RFC 1952, 8). A checksum is a polynomial over GF(2), with the
 * coefficient of x⁰ in its highest bit. The one of a text with `n` more bytes is itself times x⁸ⁿ, modulo the polynomial of
 * the code, plus the one of these bytes.
 */

/** The polynomial of CRC-32, without x³². */
const POLYNOMIAL = 0xedb88320;
const ONE = 1 << 31;
const X8 = 1 << 23;

/** The product of two polynomials, modulo that of the code. */
function product(a: number, b: number): number {
  let sum = 0;
  for (; a !== 0; a <<= 1) {
    if (a < 0) sum ^= b;
    b = b & 1 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
  }
  return sum;
}

/** x⁸ⁿ, modulo the polynomial of the code. */
function x8ToThe(n: number): number {
  let power = ONE;
  for (let square = X8; n > 0; n >>>= 1) {
    if (n & 1) power = product(power, square);
    square = product(square, square);
  }
  return power;
}

/** The checksum of some bytes, in a form in which it can be appended to others in a few dozen steps. */
export class Checksum {
  readonly length: number;
  readonly #crc: number;
  readonly #shift: number;

  constructor(bytes: Buffer) {
    this.length = bytes.length;
    this.#crc = crc32(bytes);
    this.#shift = x8ToThe(bytes.length);
  }

  /** The CRC-32, as a signed integer, of bytes that have this one, and these bytes after them. */
  after(crc: number): number {
    return product(crc, this.#shift) ^ this.#crc;
  }
}
