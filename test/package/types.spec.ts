import { beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../support/process.js';

interface Manifest {
  exports: Record<string, { types?: string } | string>;
}

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const entries = Object.values(exports).flatMap((entry) =>
  typeof entry === 'object' && entry.types !== undefined ? [join(root, entry.types)] : [],
);

/** The types that the entries of the package give to its users, as they are in `dist`. */
class PublicTypes {
  readonly #checker: ts.TypeChecker;
  readonly #exported = new Set<ts.Symbol>();
  readonly #seen = new Set<ts.Node>();
  readonly #missing = new Set<string>();

  constructor() {
    const options: ts.CompilerOptions = {
      ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
      ...{ target: ts.ScriptTarget.ES2023, types: [] },
    };
    const host = ts.createCompilerHost(options);
    // What others declare is not looked at.
    host.fileExists = (path) => !path.includes('node_modules') && existsSync(path);
    const program = ts.createProgram(entries, options, host);
    this.#checker = program.getTypeChecker();
    for (const entry of entries) {
      const module = this.#checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
      for (const symbol of this.#checker.getExportsOfModule(module)) this.#exported.add(this.#origin(symbol));
    }
  }

  /** What they mention by a name that no entry exports. */
  missing(): string[] {
    for (const symbol of this.#exported) this.#readAll(symbol);
    return [...this.#missing].sort();
  }

  #readAll(symbol: ts.Symbol): void {
    for (const declaration of symbol.declarations ?? []) this.#read(declaration);
  }

  #read(node: ts.Node): void {
    // Nest makes the classes that have others injected.
    if (this.#seen.has(node) || ts.isConstructorDeclaration(node)) return;
    this.#seen.add(node);
    const name = nameIn(node);
    if (name) this.#mention(name, ts.isTypeReferenceNode(node));
    ts.forEachChild(node, (child) => this.#read(child));
  }

  /**
   * Bases, values, and aliases that a module keeps to itself are ways of writing a type: only what they say counts.
   * An interface has to be named, also in the declarations of who uses it without writing its name.
   */
  #mention(name: ts.Node, isByName: boolean): void {
    const found = this.#checker.getSymbolAtLocation(name);
    if (!found) return;
    const symbol = this.#origin(found);
    const declaration = symbol.declarations?.[0];
    if (!declaration || !isOurs(declaration) || ts.isTypeParameterDeclaration(declaration)) return;
    if (isByName && hasName(declaration) && !this.#exported.has(symbol)) this.#missing.add(symbol.name);
    else this.#readAll(symbol);
  }

  #origin(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }
}

function nameIn(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return node.typeName;
  if (ts.isExpressionWithTypeArguments(node)) return node.expression;
  if (ts.isTypeQueryNode(node)) return node.exprName;
  return ts.isImportTypeNode(node) ? node.qualifier : undefined;
}

const isOurs = (declaration: ts.Declaration): boolean =>
  declaration.getSourceFile().fileName.startsWith(join(root, 'dist'));

const hasName = (declaration: ts.Declaration): boolean =>
  !ts.isTypeAliasDeclaration(declaration) ||
  (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export) !== 0;

describe('the types of the package', () => {
  beforeAll(() => {
    if (!existsSync(entries[0]!)) throw new Error('Run `npm run build` first.');
  });

  it('mention none that a user could not import', () => {
    expect(entries.length).toBeGreaterThan(1);
    expect(new PublicTypes().missing()).toEqual([]);
  });
});
