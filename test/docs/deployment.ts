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

/** The README's configuration of nginx for several instances, which listen on these ports. */
export function nginxForInstances(port: number, upstream: readonly number[]): string {
  const server = blockWith('nginx', 'location @away').code.replace(/^upstream app \{[^}]*\}\n/, '');
  const instances = blockWith('nginx', 'upstream app', '127.0.0.1:3002').code;
  const ports = [...upstream];
  const own = `${instances}\n${server}`
    .replaceAll(/server 127\.0\.0\.1:\d+/g, () => `server 127.0.0.1:${ports.shift() ?? 'none'}`)
    .replace(/listen \d+;/, `listen 127.0.0.1:${port};`);
  if (ports.length > 0) throw new Error(`The README has fewer than ${upstream.length} instances.`);
  return own;
}
