import { describe, expect, it } from '@jest/globals';
import { formOf, placed } from '../../../src/sse/swagger/json-schema.js';

describe('a schema in a document', () => {
  const place = (schema: object) =>
    placed(schema as never, (definition) => `#/components/schemas/Own${definition ? `_${definition}` : ''}`);

  it('has its references begin at its own place', () => {
    const { schema, definitions } = place({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      properties: {
        self: { $ref: '#' },
        part: { $ref: '#/properties/self' },
        address: { $ref: '#/$defs/an~1address/properties/street' },
        elsewhere: { $ref: 'https://example.com/schema' },
      },
      $defs: { 'an/address': { properties: { street: { $ref: '#/$defs/an~1address' } } } },
    });
    expect(schema).toEqual({
      properties: {
        self: { $ref: '#/components/schemas/Own' },
        part: { $ref: '#/components/schemas/Own/properties/self' },
        address: { $ref: '#/components/schemas/Own_an/address/properties/street' },
        elsewhere: { $ref: 'https://example.com/schema' },
      },
    });
    expect(Object.fromEntries(definitions)).toEqual({
      'an/address': { properties: { street: { $ref: '#/components/schemas/Own_an/address' } } },
    });
  });

  it('has them so in every keyword that has schemas, of draft 07, too', () => {
    const ref = { $ref: '#/definitions/a' };
    const { schema } = place({
      ...{
        items: [ref, true],
        anyOf: [ref],
        additionalProperties: ref,
        not: ref,
        patternProperties: { x: ref },
      },
      definitions: { a: {} },
    });
    const there = { $ref: '#/components/schemas/Own_a' };
    expect(schema).toEqual({
      ...{ items: [there, true], anyOf: [there], additionalProperties: there, not: there },
      patternProperties: { x: there },
    });
  });

  it('keeps what only looks like a reference', () => {
    const schema = {
      properties: { $ref: { type: 'string' } },
      ...{ const: { $ref: '#' }, enum: [{ $ref: '#' }], default: { $ref: '#' } },
    };
    expect(place(schema).schema).toEqual(schema);
  });
});

describe('data is sent', () => {
  it.each([
    ['text', { type: 'string' }],
    ['text', { const: 'a' }],
    ['text', { enum: ['a', 'b'] }],
    ['text', { anyOf: [{ type: 'string', format: 'uuid' }, { const: 'none' }] }],
    ['text', { $ref: '#/$defs/a', $defs: { a: { type: 'string' } } }],
    ['json', { type: 'object' }],
    ['json', { type: ['number', 'null'] }],
    ['json', { oneOf: [{ type: 'object' }, { const: null }] }],
    ['json', { $ref: '#/$defs/a', $defs: { a: { anyOf: [{ type: 'null' }, { type: 'array' }] } } }],
    ['any', { type: ['string', 'null'] }],
    ['any', { enum: ['a', 1] }],
    ['any', { anyOf: [{ type: 'string' }, { type: 'object' }] }],
    ['any', { $ref: '#/$defs/nowhere' }],
    ['any', { $ref: '#' }],
    ['any', {}],
    ['none', { not: {} }],
  ])('as %s by %j', (form, schema) => {
    expect(formOf(schema as never)).toBe(form);
  });
});
