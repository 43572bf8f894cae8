import { Logger, type INestApplication, type Type } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { isEndpoint } from '../endpoint/endpoint.controller.js';
import { SseError } from '../sse.errors.js';
import { Components } from './components.js';
import { DescribedApp } from './described-app.js';
import type { DescribedMethod } from './described-operation.js';
import { documentedOperations } from './documented-operations.js';
import { EndpointOperations } from './endpoint-operations.js';
import { EventData } from './event-data.js';
import type { JsonSchema } from './json-schema.js';
import { inOpenApi30 } from './open-api-30.js';
import { Publications } from './publications.js';
import { PublishOperations } from './publish-operations.js';
import { StreamContent } from './stream-content.js';
import { describeStream } from './stream-operation.js';

/**
 * Completes the document that `SwaggerModule.createDocument()` has made: routes with `@Sse()`, of this package or served by it, and
 * those of the ready endpoint get their event streams, the parameters by which a client resumes, and the statuses that they
 * answer with; routes of `SsePublishModule` get what may be published, and their answers. What the application has declared
 * itself stays.
 *
 * Schemas of events come from the definitions that `@ApiSse()` names, by Standard JSON Schema. In a document of OpenAPI 3.2 they are the
 * `itemSchema` of the stream. A type of event without one is described as any data, and logged once.
 *
 * @param document of OpenAPI 3.0, 3.1 or 3.2; it is changed
 * @param app the application that it was made of, with its global prefix and versioning set
 * @returns the document
 * @throws SseError `MODULE_MISSING`; `INVALID_OPTIONS` for a document of another version, and a definition that is not listed
 *
 * @example
 * ```ts
 * const config = new DocumentBuilder().setTitle('Orders').setOpenAPIVersion('3.2.0').build();
 * SwaggerModule.setup('docs', app, () => addSse(SwaggerModule.createDocument(app, config), app));
 * ```
 */
export function addSse(document: OpenAPIObject, app: INestApplication): OpenAPIObject {
  const described = new DescribedApp(app);
  warnOf(described.withoutRoute);
  const dialect = dialectOf(document.openapi);
  const components = (document.components ??= {});
  const schemas = new Components('#/components/schemas', (components.schemas ??= {}));
  const data = new EventData(described, schemas, 'draft-2020-12', dialect.of);
  const content = new StreamContent(described, schemas, data, dialect.of, dialect.hasItems);
  const endpoint = new EndpointOperations(described, content, dialect.of);
  const publications = new Publications(described, schemas, data, dialect.of);
  const publishing = new PublishOperations(described, publications, schemas, dialect.of);
  const methods = [
    ...streams(described, content),
    ...endpoints(described).flatMap((controller) => endpoint.of(controller)),
    ...described.publishers.map((publisher) => publishing.of(publisher)),
  ];
  for (const { operation, of } of documentedOperations(document, app, methods)) of.describe(operation);
  data.report();
  return document;
}

/** Methods that were warned of: an application may have several documents. */
const warned = new WeakSet<object>();

function warnOf(methods: DescribedApp['withoutRoute']): void {
  for (const { name, method } of methods) {
    if (warned.has(method)) continue;
    warned.add(method);
    const what = `@ApiSse() of ${name} is without effect: the method has no @Sse() that this package serves.`;
    new Logger('SseSwagger').warn(what);
  }
}

/** The routes of the application that stream events. */
const streams = (app: DescribedApp, content: StreamContent): DescribedMethod[] =>
  app.routes
    .filter(({ controller }) => !isEndpoint(controller))
    .map((route) => ({
      controller: route.controller,
      method: route.method,
      describe: (operation) => describeStream(app, content, route, operation),
    }));

/** The controllers of the ready endpoint. */
const endpoints = (app: DescribedApp): readonly Type[] => [
  ...new Set(app.routes.map(({ controller }) => controller as Type).filter(isEndpoint)),
];

/** How schemas are written in a document. */
interface Dialect {
  /** Says a schema of draft 2020-12 in this dialect. */
  readonly of: (schema: JsonSchema) => JsonSchema;
  /** Whether a media type may say what the items of a stream are. */
  readonly hasItems: boolean;
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  '3.0': { of: inOpenApi30, hasItems: false },
  '3.1': { of: (schema) => schema, hasItems: false },
  '3.2': { of: (schema) => schema, hasItems: true },
};

function dialectOf(version: string): Dialect {
  const dialect = DIALECTS[version.split('.', 2).join('.')];
  if (dialect) return dialect;
  throw new SseError(
    'INVALID_OPTIONS',
    `addSse() takes a document of OpenAPI ${Object.keys(DIALECTS).join(', ')}, not of ${version}.`,
  );
}
