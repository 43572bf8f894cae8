import { SseError } from './sse.errors.js';

// A package manager may install several copies of this package in one application: one of the application, one of a
// library in its workspace. Their classes differ, so what one of them declares is known to another by symbols and
// metadata keys that all of them share, and never by `instanceof`.

/** As in package.json. */
const VERSION = '0.2.0';

/** A copy of this package, as it shows in what it has declared. */
export interface PackageCopy {
  readonly version: string;
  /** Where it is, for messages. */
  readonly path: string;
}

/** This copy. */
export const COPY: PackageCopy = Object.freeze({
  version: VERSION,
  // A bundle of CommonJS has no URL.
  path: (import.meta.url as string | undefined)?.replace(/\/(src|dist)\/sse\/.*$/, '') ?? 'a bundle',
});

/**
 * Refuses what a copy of another version has declared: what it is meant to say is not known here.
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

/** A kind of channel, as far as all copies know it. */
export interface NamedChannels {
  readonly pattern: string;
  matches(name: string): boolean;
}

/** What the copies of this process, and its applications, know together. */
interface ProcessWide {
  /** Prototypes whose methods were decorated for channels, until an application finds them. */
  readonly unfound: Set<object>;
  /** Definitions that some application lists. */
  readonly listed: WeakSet<object>;
  /** Definitions that have made names, until an application lists them. */
  readonly unlisted: Set<NamedChannels>;
  /** What has imported the module, by the configuration of its application. */
  readonly imported: WeakMap<object, { readonly module: object; readonly copy: PackageCopy }>;
}

const PROCESS_WIDE = Symbol.for('nestjs-sse-hub:process-wide');

export const processWide: ProcessWide = ((globalThis as { [PROCESS_WIDE]?: ProcessWide })[PROCESS_WIDE] ??= {
  unfound: new Set(),
  listed: new WeakSet(),
  unlisted: new Set(),
  imported: new WeakMap(),
});
