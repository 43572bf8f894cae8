import { expect, it } from '@jest/globals';
import { PublishIds } from '../../../src/sse/backplanes/common/publish-ids.js';
import { PUBLISH_ID_MEMORY } from '../../../src/sse/log/backplane.js';

it('publish ids are forgotten in the order of their last use', () => {
  const ids = new PublishIds();
  const position = { offset: 1, mark: 'a' };
  ids.remember('a', 'daily', position, 0);
  ids.remember('a', 'once', position, 1);
  ids.remember('a', 'daily', position, PUBLISH_ID_MEMORY);
  expect(ids.find('a', 'once', 2)).toBe(position);
  ids.remember('a', 'another', position, PUBLISH_ID_MEMORY + 1);
  expect(ids.find('a', 'once', 2)).toBeUndefined();
  expect(ids.find('a', 'daily', PUBLISH_ID_MEMORY + 2)).toBe(position);
});
