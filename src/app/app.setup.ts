import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AppConfig } from './app.config.js';
import { serveDocs } from './app.docs.js';

/** The pages of the demo, each served from the `public` folder of the feature it belongs to. */
export const PAGES = [
  '/',
  '/chat',
  '/broadcast',
  '/ticker',
  '/jobs',
  '/notifications',
  '/assistant',
] as const;

/** What operators look at; the home page and the start of the program name them as well. */
export const OPERATIONS = ['/inspector', '/docs', '/metrics', '/health/ready'] as const;

/** The folders of the pages. The home page, and what all pages share, is that of `app`. */
const FEATURES = ['app', 'chat', 'broadcast', 'ticker', 'jobs', 'notifications', 'assistant'];

/**
 * The hash of the pages' import map, which is inline as browsers load none from a file. The console of a browser says the
 * new one when the map has changed.
 */
const IMPORT_MAP = "'sha256-Le0YB4R23FfekfhZjT1rF9hfyPlId0cZQnSlG0uTMX8='";

/**
 * Sets up HTTP for the app: headers, CORS and static files. `main.ts` and the tests both call it, so the tests
 * run what users run. Call it before `init()` or `listen()`.
 */
export function configure(app: NestExpressApplication, config: Pick<AppConfig, 'corsOrigins'>): void {
  const origins = [...config.corsOrigins];

  // This comes first, so that preflights, files and errors carry the headers too.
  app.useSecurityHeaders({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: "'none'",
        scriptSrc: ["'self'", IMPORT_MAP],
        styleSrc: "'self'",
        connectSrc: "'self'",
        imgSrc: ["'self'", 'data:'],
        baseUri: "'none'",
        formAction: "'self'",
        frameAncestors: "'none'",
        // No upgrade-insecure-requests, and no HSTS below: the demo speaks plain HTTP, and a browser told to
        // use https for this host would not find it again, on this port or any other.
      },
    },
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  });

  // A form on another site can POST without a CORS preflight. Nest answers it with 403.
  app.enableCsrfProtection({ trustedOrigins: origins });

  if (origins.length > 0) {
    app.enableCors({
      origin: origins,
      credentials: true,
      // An EventSource sends Last-Event-ID without a preflight; a client made with fetch needs permission.
      allowedHeaders: ['Content-Type', 'Last-Event-ID'],
    });
  }

  for (const feature of FEATURES) {
    // `/chat` finds chat.html. Without redirects an unknown path stays a 404, even if a folder has that name.
    app.useStaticAssets(join(import.meta.dirname, '..', feature, 'public'), {
      extensions: ['html'],
      index: feature === 'app' ? 'index.html' : false,
      redirect: false,
    });
  }

  for (const [name, folder] of Object.entries(vendored())) {
    app.useStaticAssets(folder, { prefix: `/vendor/${name}`, index: false, redirect: false });
  }

  serveDocs(app);
}

/** The folders of modules for browsers, by name. They are served as they come from npm, or from the build. */
function vendored(): Record<string, string> {
  const { resolve } = createRequire(import.meta.url);
  const client = dirname(resolve('nestjs-sse-hub/client'));
  return {
    uplot: dirname(resolve('uplot/dist/uPlot.esm.js')),
    'eventsource-parser': dirname(resolve('eventsource-parser')),
    'nestjs-sse-hub/client': client,
    // The client imports from these two.
    'nestjs-sse-hub/log': join(client, '../log'),
    'nestjs-sse-hub/protocol': join(client, '../protocol'),
  };
}
