import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/process.js';
import { codeBlocks, type Block } from './markdown.js';

/** README.md, and each guide beside the code that it is about; paths are relative to the root. */
export const guides: ReadonlyMap<string, string> = new Map(
  ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...markdownUnder('src')].map((path) => [
    path,
    readFileSync(join(root, path), 'utf8'),
  ]),
);

/** The code blocks of all of them. */
export const allBlocks: readonly Block[] = [...guides].flatMap(([path, text]) => codeBlocks(text, path));

/** The one block of a language that has all of these words, in whichever guide it stands. */
export function blockWith(language: string, ...words: string[]): Block {
  const [block, ...others] = allBlocks.filter(
    (block) => block.language === language && words.every((word) => block.code.includes(word)),
  );
  if (!block || others.length > 0)
    throw new Error(`The guides have no single ${language} block of ${words.join(', ')}.`);
  return block;
}

function markdownUnder(folder: string): string[] {
  const paths = readdirSync(join(root, folder), { recursive: true }) as string[];
  return paths.filter((path) => path.endsWith('.md')).map((path) => join(folder, path));
}
