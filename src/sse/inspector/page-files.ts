import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NotFoundException } from '@nestjs/common';

/** Nothing but files of this page runs, and nothing leaves it. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
};

export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/** The files beside the page, with their media types. */
const FILES: Readonly<Record<string, string>> = {
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'NOTICES.txt': 'text/plain; charset=utf-8',
};

const FOLDER = join(import.meta.dirname, 'public');

const contents = new Map<string, Promise<string>>();

function textOf(name: string): Promise<string> {
  let text = contents.get(name);
  if (!text) {
    text = readFile(join(FOLDER, name), 'utf8');
    contents.set(name, text);
    text.catch(() => contents.delete(name));
  }
  return text;
}

/** @throws NotFoundException */
export async function pageFile(name: string): Promise<PageFile> {
  const type = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
  if (type === undefined) throw new NotFoundException();
  return { type, text: await textOf(name) };
}

/**
 * The page. Its files are named relative to the address by which the browser has it, so that a prefix of the application or
 * of a proxy does not matter.
 *
 * @param path of the request, without the query
 */
export async function pageAt(path: string): Promise<PageFile> {
  const last = path.slice(path.lastIndexOf('/') + 1);
  const base = last === '' ? './' : `./${encodeURIComponent(decoded(last))}/`;
  const text = await textOf('index.html');
  return { type: 'text/html; charset=utf-8', text: text.replaceAll('./public/', base) };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
