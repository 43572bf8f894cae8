import fc from 'fast-check';

/** What breaks naive encoders, beside any UTF-16 code unit, halves of surrogate pairs among them. */
const awkward = [
  ...['\n', '\r', '\r\n', '\n\n', '\r\r', '\n\r', '', ' ', '  ', ':', ': ', '\t', '\0'],
  ...['\uFEFF', '\u2028', '\u2029', '\u0085', '😀', '👩‍👩‍👧', 'é', '漢', '\uD83D', '\uDE00', '\uFFFD', '\uFFFF'],
  ...['data:', 'data: x', 'id: 1', 'event: gap', 'retry: 1', '\ndata: x\n\n', 'text'],
];

const codeUnit = fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit));

/** Any text at all. */
export const anyText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...awkward), codeUnit, fc.string()), { maxLength: 12 })
  .map((parts) => parts.join(''));

/** Any text that can be sent as a `type` or an `id`. */
export const oneLineText: fc.Arbitrary<string> = anyText.map((text) => text.replace(/[\r\n\0]/g, ''));

/** Any name that a channel may have. */
export const channelName: fc.Arbitrary<string> = fc
  .array(
    fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .map((text) => text.replace(/[/\p{Cc}\p{Cs}]/gu, '_')),
    { minLength: 1, maxLength: 5 },
  )
  .map((segments) => segments.join('/'))
  .filter((name) => name.length <= 200);

/** What is left of a text after it went through UTF-8. */
export const throughUtf8 = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');
