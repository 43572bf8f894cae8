import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import { ageOf, booleanOf, checkObject, countOf, listOf, stringOf, withDefaults } from '../validate.js';

/** The bounds of what an instance keeps for "Explain" of what has happened. */
export interface InspectorMemory {
  /** Bytes, about, of all records together. @defaultValue 4 MiB */
  readonly bytes?: number;
  /** Milliseconds after which a record is dropped. @defaultValue 600_000 */
  readonly age?: number;
}

/** Options of `SseInspectorModule.forRoot()`. */
export interface SseInspectorOptions {
  /** The path at which the page is mounted, as in `@Controller()`. */
  readonly path: string;
  /**
   * Guards of the page and of all that it asks, as in `@UseGuards()`. Who gets past them sees events and users of all
   * channels. `'none'` says that nothing but the application's own guards protects it.
   */
  readonly guards: readonly (CanActivate | Type<CanActivate>)[] | 'none';
  /** Whether it only shows: it then refuses to publish, disconnect, revoke, complete and purge. @defaultValue false */
  readonly readOnly?: boolean;
  /** What each instance remembers for "Explain". */
  readonly memory?: InspectorMemory;
  /** Modules whose providers the guards need. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

/** The options with every default in place. */
export interface InspectorSettings {
  readonly path: string;
  readonly guards: readonly (CanActivate | Type<CanActivate>)[];
  readonly readOnly: boolean;
  readonly memory: Required<InspectorMemory>;
  readonly imports: NonNullable<ModuleMetadata['imports']>;
}

const MEMORY: Required<InspectorMemory> = { bytes: 4 * 1024 * 1024, age: 600_000 };

/** @throws SseError `INVALID_OPTIONS` */
export function inspectorSettings(options: SseInspectorOptions): InspectorSettings {
  checkObject(options, ['path', 'guards', 'readOnly', 'memory', 'imports'], 'SseInspectorModule.forRoot()');
  const memory = withDefaults('memory', options.memory, MEMORY);
  countOf('memory.bytes', memory.bytes, 1);
  ageOf('memory.age', memory.age);
  return {
    path: stringOf('path', options.path),
    guards: guardsOf(options.guards),
    readOnly: booleanOf('readOnly', options.readOnly ?? false),
    memory,
    imports: [...listOf('imports', options.imports ?? [], 'modules')],
  };
}

function guardsOf(guards: SseInspectorOptions['guards'] | undefined): InspectorSettings['guards'] {
  if (guards === 'none') return [];
  if (guards === undefined || guards.length === 0)
    throw new SseError(
      'INVALID_OPTIONS',
      "The inspector shows all events and users, and it ends streams: give it guards, or say guards: 'none' where something else protects it.",
    );
  return listOf('guards', guards, 'guards');
}
