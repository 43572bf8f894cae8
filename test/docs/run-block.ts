import ts from 'typescript';
import type { Block } from './markdown.js';

/**
 * Runs a TypeScript block as the module that it is.
 *
 * @param imports what it imports, by the names that it imports it by
 * @returns what it exports
 */
export function runBlock(
  { code, line }: Block,
  imports: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  const exports: Record<string, unknown> = {};
  const require = (name: string): unknown => {
    if (!(name in imports))
      throw new Error(`The block of line ${line} imports "${name}", which it was not given.`);
    return imports[name];
  };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is the README's code that is tested
  new Function('exports', 'require', outputText)(exports, require);
  return exports;
}
