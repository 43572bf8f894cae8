import type { ServerResponse } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { addSse, asyncApiDocument, type AsyncApiDocument } from '../sse/swagger/index.js';

const INFO = {
  title: 'nestjs-sse-hub demo',
  version: '1',
  description: 'Streams that resume. Listen to one with `curl -N`, or with an EventSource.',
};

/**
 * Serves the descriptions of the app: `/docs` for people, `/docs-json` as OpenAPI, and `/docs/asyncapi.json` for the channels.
 * Call it after the headers are set up, and before `init()`.
 */
export function serveDocs(app: NestExpressApplication): void {
  app.use('/docs', allowInlineStyles);
  const adapter = app.getHttpAdapter();
  // Both are made when they are first asked for: all routes and guards are known then. Making one takes some 50 ms.
  let channels: AsyncApiDocument | undefined;
  adapter.get('/docs/asyncapi.json', (_request, response) => {
    adapter.reply(response, (channels ??= asyncApiDocument(app, { info: INFO })));
  });
  const config = new DocumentBuilder()
    .setTitle(INFO.title)
    .setDescription(INFO.description)
    .setVersion(INFO.version)
    .setOpenAPIVersion('3.2.0')
    .build();
  const document = (): OpenAPIObject => addSse(forUsers(SwaggerModule.createDocument(app, config)), app);
  SwaggerModule.setup('docs', app, document, { customSiteTitle: INFO.title });
}

/** Leaves out what is for operators. The inspector leaves itself out. */
function forUsers(document: OpenAPIObject): OpenAPIObject {
  const paths = Object.entries(document.paths).filter(([path]) => path !== '/metrics');
  return { ...document, paths: Object.fromEntries(paths) };
}

/** The page of Swagger UI has style elements, and style attributes in its icons. */
function allowInlineStyles(_request: unknown, response: ServerResponse, next: () => void): void {
  const policy = String(response.getHeader('Content-Security-Policy'));
  response.setHeader(
    'Content-Security-Policy',
    policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
  );
  next();
}
