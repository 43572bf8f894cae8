import * as common from '@nestjs/common';
import type { Type } from '@nestjs/common';
import * as rxjs from 'rxjs';
import * as hub from '../../../src/index.js';
import { blockWith } from '../../docs/guides.js';
import { runBlock } from '../../docs/run-block.js';

export interface Example {
  readonly tokens: Map<string, { user: string; tenant: string; exp: number }>;
  readonly TenantsModule: Type;
}

type Options = NonNullable<Parameters<typeof hub.SseModule.forRoot>[0]>;

/** The application of the guide to access, as it is printed there, and with these options of the module besides. */
export function example(options: Options = {}): Example {
  const SseModule = {
    forRoot: (own: Options) => hub.SseModule.forRoot({ ...own, ...options }),
    forFeature: hub.SseModule.forFeature,
  };
  const packages = { '@nestjs/common': common, 'nestjs-sse-hub': { ...hub, SseModule }, rxjs };
  return runBlock(blockWith('ts', '// tenants.ts'), packages) as unknown as Example;
}
