import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../support/process.js';
import { withOf, type Block } from './markdown.js';

/**
 * Where a block would lie if it were a file. A first line `// orders.channel.ts` names it, so that other blocks
 * of the same guide can import from './orders.channel.js'; without one a block is a module on its own.
 */
function pathOf({ code, language, path, line }: Block): string {
  const [, name] = /^\/\/ (\S+\.[jt]sx?)\n/.exec(code) ?? [];
  return join(root, 'test/docs/blocks', path.replaceAll(/\W/g, '-'), name ?? `line-${line}.${language}`);
}

/** The block as a module, its lines where they are in its guide; `<!-- test: with … -->` goes before it. */
function textOf(block: Block): string {
  const { code, line } = block;
  const before = withOf(block) && `${withOf(block)}\n`;
  const padding = line - before.split('\n').length;
  return `${'\n'.repeat(Math.max(0, padding))}${before}${code}\nexport {};\n`;
}

/** The source of each entry of the package, by the name that it is imported by. */
function sourceOfEntries(): Record<string, string[]> {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  return Object.fromEntries(
    Object.entries(exports).flatMap(([entry, target]) => {
      if (typeof target === 'string') return [];
      const source = target.default.replace('./dist', 'src').replace(/\.js$/, '.ts');
      return [[entry.replace('.', name), [join(root, source)]]];
    }),
  );
}

/** Type-checks blocks together, as strictly as the source and against it; gives the errors of each. */
export function checkTypes(blocks: Block[]): Map<Block, string[]> {
  const texts = new Map<string, string>();
  for (const block of blocks) {
    const path = pathOf(block);
    if (texts.has(path)) throw new Error(`Two blocks are called ${path}.`);
    texts.set(path, textOf(block));
  }
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const options: ts.CompilerOptions = {
    ...ts.convertCompilerOptionsFromJson(config.config.compilerOptions, root).options,
    ...{ rootDir: root, noEmit: true, allowJs: true, checkJs: true, jsx: ts.JsxEmit.ReactJSX },
    ...{ noUnusedLocals: false, noUnusedParameters: false },
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
    paths: sourceOfEntries(),
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, directoryExists, getSourceFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.directoryExists = (path) =>
    [...texts.keys()].some((file) => file.startsWith(`${path}/`)) || (directoryExists?.(path) ?? true);
  host.getSourceFile = (path, target, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile(path, target, ...rest)
      : ts.createSourceFile(path, text, target, true);
  };
  const program = ts.createProgram([...texts.keys()], options, host);

  return new Map(
    blocks.map((block) => {
      const file = program.getSourceFile(pathOf(block));
      const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
      return [block, found.map((diagnostic) => messageOf(diagnostic))];
    }),
  );
}

function messageOf({ file, start = 0, messageText }: ts.Diagnostic): string {
  const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1;
  return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
