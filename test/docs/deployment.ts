import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/process.js';
import { codeBlocks, type Block } from './markdown.js';

/** The text that is checked. */
export const readme = readFileSync(process.env.README_PATH ?? join(root, 'README.md'), 'utf8');

/** The README's blocks of a language that have all of these words. */
export function blocksWith(language: string, ...words: string[]): Block[] {
  return codeBlocks(readme).filter(
    (block) => block.language === language && words.every((word) => block.code.includes(word)),
  );
}

/** The one block of them. */
export function blockWith(language: string, ...words: string[]): Block {
  const [block, ...others] = blocksWith(language, ...words);
  if (!block || others.length > 0)
    throw new Error(`The README has no single ${language} block of ${words.join(', ')}.`);
  return block;
}
