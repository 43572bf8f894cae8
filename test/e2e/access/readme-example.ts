import { compileFunction } from 'node:vm';
import * as common from '@nestjs/common';
import type { Type } from '@nestjs/common';
import ts from 'typescript';
import * as hub from '../../../src/index.js';
import { readme } from '../../docs/deployment.js';
import { codeBlocks } from '../../docs/markdown.js';

export interface Example {
  readonly tokens: Map<string, { user: string; tenant: string; exp: number }>;
  readonly TenantsModule: Type;
}

type Options = NonNullable<Parameters<typeof hub.SseModule.forRoot>[0]>;

/** The README's application, as it is printed there, and with these options of the module besides. */
export function example(options: Options = {}): Example {
  const { code } = codeBlocks(readme).find((block) => block.code.startsWith('// tenants.ts'))!;
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  const SseModule = {
    forRoot: (own: Options) => hub.SseModule.forRoot({ ...own, ...options }),
    forFeature: hub.SseModule.forFeature,
  };
  const modules: Record<string, unknown> = {
    '@nestjs/common': common,
    'nestjs-sse-hub': { ...hub, SseModule },
    rxjs: {},
  };
  const exported: Partial<Example> = {};
  const require = (name: string): unknown => modules[name];
  // Metadata of classes are kept with the Reflect of the tests.
  compileFunction(outputText, ['require', 'exports', 'Reflect'])(require, exported, Reflect);
  return exported as Example;
}
