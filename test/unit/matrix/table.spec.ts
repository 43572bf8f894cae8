import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { clientTable, productTable, putMatrix } from '../../matrix/table.js';

describe('the tables of the matrix', () => {
  it('have a row for each run-time and a column for each application', () => {
    const text = productTable([
      { row: 'Node 24', column: 'Express', result: 'yes' },
      { row: 'Node 24', column: 'NodeAdapter', result: 'could not be installed' },
      { row: 'Bun', column: 'Express', result: 'no: streams' },
    ]);
    expect(text.split('\n')).toEqual([
      '|         | Express     | NodeAdapter            |',
      '| ------- | ----------- | ---------------------- |',
      '| Node 24 | yes         | could not be installed |',
      '| Bun     | no: streams | not tried              |',
    ]);
  });

  it('say of each client what it does by itself', () => {
    const client = { name: 'curl', streams: 'yes', no: 'stops', refused: 'gives up', retry: 'comes back' };
    expect(clientTable([client]).split('\n').at(-1)).toMatch(
      /^\| curl +\| yes +\| stops +\| gives up +\| comes back +\|$/,
    );
  });

  it('take the place of what stood between the markers, and of nothing else', () => {
    const readme = 'before\n<!-- matrix:begin -->\nold\n<!-- matrix:end -->\nafter\n';
    const once = putMatrix(readme, 'new');
    expect(once).toBe('before\n<!-- matrix:begin -->\n\nnew\n\n<!-- matrix:end -->\nafter\n');
    expect(putMatrix(once, 'new')).toBe(once);
  });

  it('are refused where the markers are missing', () => {
    expect(() => putMatrix('no markers', 'new')).toThrow('matrix:begin');
  });

  it('have their place in the guide', async () => {
    const guide = await readFile(new URL('../../../src/sse/http/compatibility.md', import.meta.url), 'utf8');
    expect(putMatrix(guide, 'new')).toContain('new');
  });
});
