import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, Header, Param } from '@nestjs/common';
import { root } from '../support/process.js';
import { PATIENCE } from './engines/browser-engine.js';

const files = (readdirSync(join(root, 'dist/sse/client'), { recursive: true }) as string[]).filter((file) =>
  file.endsWith('.js'),
);

/** The built client, as a page loads it without a bundler. */
const MODULES: Record<string, string> = {
  ...Object.fromEntries(files.map((file) => [`client/${file}`, `dist/sse/client/${file}`])),
  'log/sse-event.js': 'dist/sse/log/sse-event.js',
  'protocol/event-stream.js': 'dist/sse/protocol/event-stream.js',
  'protocol/media-type.js': 'dist/sse/protocol/media-type.js',
  'eventsource-parser.js': 'node_modules/eventsource-parser/dist/index.js',
};

/** In the head of a page that imports from `/modules/client/`. */
export const IMPORT_MAP = `<script type="importmap">{ "imports": { "eventsource-parser": "/modules/eventsource-parser.js" } }</script>`;

/** In the script of a page that writes down in `record` what has come: `until()` waits until it is so. */
export const UNTIL = `window.until = async (isSo) => {
      for (const end = Date.now() + ${PATIENCE}; !isSo(record); await new Promise((next) => setTimeout(next, 10)))
        if (Date.now() > end) throw new Error('Not so: ' + isSo + ', but ' + JSON.stringify(record));
      return record;
    };`;

@Controller('modules')
export class ModulesController {
  @Get('*path')
  @Header('content-type', 'text/javascript')
  module(@Param('path') path: string[]): Promise<string> {
    return readFile(join(root, MODULES[path.join('/')] ?? ''), 'utf8');
  }
}
