import { SseError } from './sse.errors.js';

// A package manager may install several copies of this package: one for the application, one for a library in its
// workspace. Their classes differ, so a copy recognises the declarations of another by shared symbols and metadata keys,
// and never by `instanceof`.

/** The version in package.json; a test compares the two. */
const VERSION = '0.2.0';

/** The copy of this package that has made a declaration. */
export interface PackageCopy {
  readonly version: string;
  /** Its folder, for messages; undefined where nothing but `nestjs-sse-hub/channels` was loaded. */
  readonly path?: string;
}

const copy: { version: string; path?: string } = { version: VERSION };

/** This copy. */
export const COPY: PackageCopy = copy;

/**
 * Says where this copy is. Not done in this file: pages load it with their channels, and their tools make of
 * `import.meta.url` a syntax error or a path of the machine that builds.
 *
 * @param url of a file of this copy
 */
export function locate(url: string): void {
  copy.path = url.replace(/\/(src|dist)\/sse\/.*$/, '');
}

/**
 * Refuses the declaration of a copy of another version, whose meaning may differ.
 *
 * @throws SseError `INVALID_OPTIONS`
 */
export function refuseOtherVersion(what: string, other: PackageCopy): void {
  if (other.version === VERSION) return;
  throw new SseError(
    'INVALID_OPTIONS',
    `${what} is of nestjs-sse-hub ${named(other)}, and SseModule.forRoot() of ${named(COPY)}. Have one version installed; "npm ls nestjs-sse-hub" lists them.`,
  );
}

const named = ({ version, path }: PackageCopy): string =>
  path === undefined ? version : `${version} (${path})`;

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
