import { describe, expect, it } from '@jest/globals';
import { pageAt, pageFile } from '../../../src/sse/inspector/page-files.js';

describe('the page', () => {
  it.each([
    ['/inspector', './inspector/'],
    ['/inspector/', './'],
    ['/api/v1/inspector', './inspector/'],
    ['/', './'],
    ['/a%20b', './a%20b/'],
    // No octets of UTF-8: the name is taken as it is.
    ['/100%', './100%25/'],
    ['/%22onload=%22', './%22onload%3D%22/'],
  ])('at %s has its files at %s', async (path, base) => {
    const { type, text } = await pageAt(path);
    expect(type).toBe('text/html; charset=utf-8');
    const files = [...text.matchAll(/(?:src|href)="(\.[^"]*)"/g)].map(([, file]) => file);
    expect(files).toEqual([`${base}icon.svg`, `${base}page.css`, `${base}page.js`]);
  });

  it('has no other files than its own', async () => {
    expect(await pageFile('icon.svg')).toMatchObject({ type: 'image/svg+xml' });
    for (const name of ['index.html', 'toString', '../page-files.ts', ''])
      await expect(pageFile(name)).rejects.toThrow('Not Found');
  });
});
