import { SseError } from './sse.errors.js';

// A package manager may install several copies of this package: one for the application, one for a library in its
// workspace. Their classes differ, so a copy recognises the declarations of another by shared symbols and metadata keys,
// and never by `instanceof`.

/** The version in package.json; a test compares the two. */
const VERSION = '0.2.0';

/** The copy of this package that has made a declaration. */
export interface PackageCopy {
  readonly version: string;
  /** Its folder, for messages. */
  readonly path: string;
}

/** This copy. */
export const COPY: PackageCopy = Object.freeze({
  version: VERSION,
  // A bundle of CommonJS has no URL.
  path: (import.meta.url as string | undefined)?.replace(/\/(src|dist)\/sse\/.*$/, '') ?? 'a bundle',
});

/**
 * Refuses the declaration of a copy of another version, whose meaning may differ.
 *
 * @throws SseError `INVALID_OPTIONS`
 */
export function refuseOtherVersion(what: string, { version, path }: PackageCopy): void {
  if (version === VERSION) return;
  throw new SseError(
    'INVALID_OPTIONS',
    `${what} is of nestjs-sse-hub ${version} (${path}), and SseModule.forRoot() of ${VERSION} (${COPY.path}). Have one version installed.`,
  );
}

/** A channel definition, as far as all copies know it. */
export interface NamedChannels {
  readonly pattern: string;
  matches(name: string): boolean;
}

/** State that all copies and all applications of this process share. */
interface ProcessWide {
  /** Prototypes with decorated methods that no application has found yet. */
  readonly unfound: Set<object>;
  /** Definitions that an application lists. */
  readonly listed: WeakSet<object>;
  /** Definitions that have made names and that no application lists yet. */
  readonly unlisted: Set<NamedChannels>;
  /** The module of each application, by the application's configuration. */
  readonly imported: WeakMap<object, { readonly module: object; readonly copy: PackageCopy }>;
}

const PROCESS_WIDE = Symbol.for('nestjs-sse-hub:process-wide');

export const processWide: ProcessWide = ((globalThis as { [PROCESS_WIDE]?: ProcessWide })[PROCESS_WIDE] ??= {
  unfound: new Set(),
  listed: new WeakSet(),
  unlisted: new Set(),
  imported: new WeakMap(),
});
