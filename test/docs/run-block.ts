import { format } from 'node:util';
import ts from 'typescript';
import { withOf, type Block } from './markdown.js';

/**
 * Runs a TypeScript block as the module that it is.
 *
 * @param imports what it imports, by the names that it imports it by
 * @returns what it exports
 */
export function runBlock(block: Block, imports: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const exports: Record<string, unknown> = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the guides' code is what is tested
  new Function('exports', 'require', javaScriptOf(block))(exports, requireOf(block, imports));
  return exports;
}

/**
 * Runs a TypeScript block as a program that may await.
 *
 * @param imports what it imports, by the names that it imports it by
 * @returns the lines that it logs, and those that the comments behind its statements say
 */
export async function runProgram(
  block: Block,
  imports: Readonly<Record<string, unknown>>,
): Promise<{ logged: string[]; said: string[] }> {
  const logged: string[] = [];
  const console = { log: (...args: unknown[]) => logged.push(format(...args)) };
  const AsyncFunction = (async () => undefined).constructor as FunctionConstructor;
  const code = javaScriptOf({ ...block, code: `${withOf(block)}\n${block.code}` });
  await AsyncFunction('exports', 'require', 'console', code)({}, requireOf(block, imports), console);
  const said = [...block.code.matchAll(/^.*; \/\/ (.+)$/gm)].map(([, text = '']) => text);
  return { logged, said };
}

const javaScriptOf = ({ code }: Block): string =>
  ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  }).outputText;

const requireOf =
  ({ path, line }: Block, imports: Readonly<Record<string, unknown>>) =>
  (name: string): unknown => {
    if (name in imports) return imports[name];
    throw new Error(`The block of ${path}:${line} imports "${name}", which it was not given.`);
  };
