import { expect, it } from '@jest/globals';
import { inOpenApi30 } from '../../../src/sse/swagger/open-api-30.js';

it.each<[string, object, object]>([
  ['a constant', { const: 'a' }, { enum: ['a'] }],
  ['null beside a type', { type: ['string', 'null'] }, { type: 'string', nullable: true }],
  ['several types', { type: ['string', 'number'] }, { anyOf: [{ type: 'string' }, { type: 'number' }] }],
  ['null', { type: 'null' }, { enum: [null], nullable: true }],
  [
    'a choice with null',
    { anyOf: [{ type: 'string' }, { type: 'null' }] },
    { type: 'string', nullable: true },
  ],
  [
    'a reference or null',
    { anyOf: [{ $ref: '#/a' }, { const: null }] },
    { allOf: [{ $ref: '#/a' }], nullable: true },
  ],
  [
    'a choice of several with null',
    { oneOf: [{ type: 'string' }, { type: 'object' }, { type: 'null' }] },
    { oneOf: [{ type: 'string' }, { type: 'object' }], nullable: true },
  ],
  ['exclusive bounds', { exclusiveMinimum: 0 }, { minimum: 0, exclusiveMinimum: true }],
  ['an exclusive maximum', { exclusiveMaximum: 9 }, { maximum: 9, exclusiveMaximum: true }],
  [
    'a tuple',
    { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }], items: false },
    { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
  ],
  ['a list of anything', { type: 'array' }, { type: 'array', items: {} }],
  ['true and false', { properties: { a: true, b: false } }, { properties: { a: {}, b: { not: {} } } }],
  ['no further properties', { additionalProperties: false }, { additionalProperties: false }],
  [
    'a reference with a description',
    { $ref: '#/a', description: 'b' },
    { allOf: [{ $ref: '#/a' }], description: 'b' },
  ],
  ['a reference', { $ref: '#/a' }, { $ref: '#/a' }],
  ['examples', { examples: ['a', 'b'] }, { example: 'a' }],
  [
    'JSON in a text',
    { type: 'string', contentMediaType: 'application/json', contentSchema: { const: 1 } },
    { allOf: [{ enum: [1] }], description: 'Sent as JSON.' },
  ],
  [
    'what cannot be said',
    {
      propertyNames: { type: 'string' },
      $comment: 'a',
      if: {},
      'x-own': 1,
      properties: { if: { const: 1 } },
    },
    { 'x-own': 1, properties: { if: { enum: [1] } } },
  ],
])('%s is said in the dialect of OpenAPI 3.0', (_, schema, said) => {
  expect(inOpenApi30(schema as never)).toEqual(said);
});
