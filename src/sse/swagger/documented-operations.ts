import type { INestApplication } from '@nestjs/common';
import { ApiExtension, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';

type PathItem = OpenAPIObject['paths'][string];

/** What one operation of a document says: `get` of a path. */
export type Operation = NonNullable<PathItem['get']>;

/** A method of a controller. */
export interface Route {
  readonly controller: object;
  readonly method: object;
}

/** An operation of a document, and whose it is. */
export interface DocumentedOperation<Documented extends Route> {
  readonly path: string;
  /** `get`, for instance. */
  readonly verb: string;
  readonly operation: Operation;
  readonly of: Documented;
}

const MARK = 'x-nestjs-sse-hub';

/**
 * Finds the operations of some methods in a document. A document does not say whose its operations are, so it is made once more
 * while these methods have a mark: prefix, versions and paths of modules are the work of `@nestjs/swagger` alone.
 */
export function documentedOperations<Documented extends Route>(
  document: OpenAPIObject,
  app: INestApplication,
  methods: readonly Documented[],
): DocumentedOperation<Documented>[] {
  const marked = withMarks(methods, () =>
    [false, true].map((ignoreGlobalPrefix) =>
      SwaggerModule.createDocument(
        app,
        { openapi: document.openapi, info: document.info },
        { ignoreGlobalPrefix, operationIdFactory: (controller) => controller },
      ),
    ),
  );
  const common = marked.map((other) => inCommon(document, other, methods));
  // Nobody tells whether the document has the global prefix: the one that resembles it more knows.
  return common.reduce((one, other) => (other.length > one.length ? other : one));
}

/** The operations of both documents that have a mark. */
function inCommon<Documented extends Route>(
  document: OpenAPIObject,
  marked: OpenAPIObject,
  methods: readonly Documented[],
): DocumentedOperation<Documented>[] {
  return Object.entries(marked.paths).flatMap(([path, item]) =>
    operationsOf(item).flatMap(([verb, other]) => {
      const operation = new Map(operationsOf(document.paths[path] ?? {})).get(verb);
      const owners = (other as { readonly [MARK]?: readonly number[] })[MARK] ?? [];
      const all = owners.flatMap((index) => methods[index] ?? []);
      // Several controllers may have inherited one method.
      const of = all.find(({ controller }) => isOf(other, controller)) ?? all[0];
      return operation && of ? [{ path, verb, operation, of }] : [];
    }),
  );
}

/** Whether an operation is of this controller. That of a route for all verbs has its verb at the end of the id. */
function isOf({ operationId = '' }: Operation, controller: object): boolean {
  const { name } = controller as { readonly name: string };
  return operationId === name || operationId.startsWith(`${name}_`);
}

const operationsOf = (item: PathItem): [verb: string, operation: Operation][] =>
  Object.entries(item).filter(([, value]) => typeof value === 'object' && 'responses' in value);

/** Marks methods for as long as a function runs: each with its places in the list. */
function withMarks<Result>(methods: readonly Route[], run: () => Result): Result {
  const places = new Map<object, number[]>();
  for (const [index, { method }] of methods.entries())
    places.set(method, [...(places.get(method) ?? []), index]);
  const restore = [...places].map(([method, indices]) => marked(method, indices));
  try {
    return run();
  } finally {
    for (const one of restore) one();
  }
}

/** @returns what takes the mark off again */
function marked(method: object, places: readonly number[]): () => void {
  const keys = Reflect.getOwnMetadataKeys(method) as unknown[];
  const before = new Map(keys.map((key) => [key, Reflect.getOwnMetadata(key, method) as unknown]));
  ApiExtension(MARK, [...places])({}, '', { value: method });
  return () => {
    for (const key of Reflect.getOwnMetadataKeys(method) as unknown[]) {
      if (before.has(key)) Reflect.defineMetadata(key, before.get(key), method);
      else Reflect.deleteMetadata(key, method);
    }
  };
}
