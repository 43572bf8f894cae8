import { existsSync, readdirSync } from 'node:fs';
import js from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// ---------------------------------------------------------------------------------------------------
// Who may import whom. A room is a folder or a file under src/; it may import itself and what is named
// here, type imports included. A file that is no room of its own (sse-hub.ts, sse.module.ts, main.ts …)
// is wiring and not bound by this table; that there are no cycles binds every file.
//
// Each room of the core imports only rooms above it in this table, and no feature. A feature imports the
// core, and of other features only those below which it is named.
// ---------------------------------------------------------------------------------------------------
const leaves = [
  'sse/channel.settings.ts',
  'sse/connection-details.ts',
  'sse/delay.ts',
  'sse/diagnostics',
  'sse/error-message.ts',
  'sse/log-line.ts',
  'sse/package-copy.ts',
  'sse/presence-member.ts',
  'sse/sparse-log.ts',
  'sse/sse.errors.ts',
  'sse/sse.options.ts',
  'sse/sse.settings.ts',
  'sse/validate.ts',
  'sse/values.ts',
  'sse/with-timeout.ts',
  'sse/wrapped-method.ts',
];
/** The files of `nestjs-sse-hub/channels`, which pages load: they bring nothing of Nest, rxjs or Node. */
const inPages = [
  'sse/channel.settings.ts',
  'sse/channels/channel-definition.ts',
  'sse/channels/channel-pattern.ts',
  'sse/channels/event-schemas.ts',
  'sse/channels/index.ts',
  'sse/log/event-type.ts',
  'sse/log/json-of.ts',
  'sse/log/sse-event.ts',
  'sse/package-copy.ts',
  'sse/presence-member.ts',
  'sse/sse.errors.ts',
  'sse/sse.options.ts',
  'sse/validate.ts',
  'sse/values.ts',
];
const core = {
  'sse/protocol': [],
  // What happens, told to whoever listens in this process.
  'sse/diagnostics': ['sse/connection-details.ts', 'sse/log-line.ts', 'sse/sparse-log.ts', 'sse/values.ts'],
  'sse/log': ['sse/protocol', ...leaves],
  'sse/channels': ['sse/protocol', 'sse/log', ...leaves],
  // How the instances of an application ask and tell each other.
  'sse/cluster': ['sse/protocol', 'sse/log', 'sse/channels', ...leaves],
  'sse/publishing': ['sse/protocol', 'sse/log', 'sse/channels', ...leaves],
  'sse/streams': ['sse/protocol', 'sse/log', 'sse/channels', 'sse/cluster', ...leaves],
  'sse/http': [
    'sse/protocol',
    'sse/log',
    'sse/channels',
    'sse/cluster',
    'sse/publishing',
    'sse/streams',
    ...leaves,
  ],
};
const ofCore = [...new Set([...Object.keys(core), ...leaves])];
const rooms = {
  'index.ts': ['sse/index.ts'],
  app: [
    'sse/index.ts',
    'sse/backplanes/lmdb/index.ts',
    'sse/backplanes/redis/index.ts',
    'sse/backplanes/nats/index.ts',
    'sse/health/index.ts',
    'sse/http-publishing/index.ts',
    'sse/inspector/index.ts',
    'sse/metrics/index.ts',
    'sse/swagger/index.ts',
  ],
  chat: ['sse/index.ts', 'sse/swagger/index.ts'],
  broadcast: ['sse/index.ts', 'sse/swagger/index.ts'],
  ticker: ['sse/index.ts', 'sse/swagger/index.ts'],
  jobs: ['sse/index.ts', 'sse/swagger/index.ts'],
  notifications: ['sse/index.ts', 'sse/swagger/index.ts'],
  assistant: ['sse/index.ts', 'sse/swagger/index.ts'],
  sse: [],
  ...core,
  // Decorated methods, by the channels that they are for.
  'sse/handlers': ofCore,
  'sse/access': ['sse/handlers', ...ofCore],
  'sse/snapshots': ['sse/handlers', ...ofCore],
  'sse/hooks': ['sse/handlers', ...ofCore],
  'sse/presence': ofCore,
  'sse/pipes': ofCore,
  // The ready endpoint, a controller as an application might write it.
  'sse/endpoint': ['sse/access', 'sse/handlers', 'sse/sse-hub.ts', ...ofCore],
  // Runs of language models, on the hub as an application uses it.
  'sse/ai': ['sse/sse-hub.ts', 'sse/sse.module.ts', ...ofCore],
  // How an application is run and described: entries of their own. They hear what happens by `diagnostics`, and use the hub.
  // The metrics themselves, whoever collects them.
  'sse/instruments': ['sse/sse-hub.ts', ...ofCore],
  'sse/metrics': ['sse/instruments', 'sse/sse-hub.ts', ...ofCore],
  'sse/opentelemetry': ['sse/instruments', 'sse/sse-hub.ts', ...ofCore],
  'sse/health': ['sse/sse-hub.ts', ...ofCore],
  'sse/http-publishing': ['sse/sse-hub.ts', ...ofCore],
  'sse/swagger': ['sse/endpoint', 'sse/handlers', 'sse/http-publishing', 'sse/sse.routes.ts', ...ofCore],
  'sse/inspector': ['sse/client', 'sse/sse-hub.ts', 'sse/access', 'sse/presence', ...ofCore],
  // Implementations of the ports.
  'sse/backplanes': ['sse/protocol', 'sse/log', 'sse/cluster', ...leaves],
  // For pages, and other clients: nothing of Nest or rxjs comes with it.
  'sse/client': ['sse/protocol', 'sse/log/sse-event.ts', 'sse/presence-member.ts'],
  // Its hooks. Definitions are types to them.
  'sse/react': [
    'sse/client',
    'sse/channels/channel-definition.ts',
    'sse/channels/channel-pattern.ts',
    'sse/log/sse-event.ts',
  ],
  // For the tests of users: streams over HTTP, and in contracts/ suites for an implementation of the ports.
  'sse/testing': ['sse/protocol', 'sse/log', 'sse/cluster', ...leaves],
};

/** Which packages a room of the library may import; `node:` modules count as packages. */
const library = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs', 'node:*'];
const packages = {
  sse: library,
  'sse/protocol': [],
  'sse/channels': [...library, '@standard-schema/spec'],
  'sse/backplanes/lmdb': [...library, 'lmdb'],
  'sse/backplanes/nats': [...library, '@nats-io/jetstream', '@nats-io/transport-node'],
  'sse/backplanes/redis': [...library, 'redis', 'ioredis'],
  'sse/testing': ['@nestjs/common', 'node:*'],
  'sse/testing/contracts': ['node:*'],
  'sse/client': ['eventsource-parser', '@standard-schema/spec'],
  'sse/client/rxjs': ['rxjs'],
  'sse/react': ['react'],
  'sse/metrics': [...library, 'prom-client'],
  'sse/opentelemetry': [...library, '@opentelemetry/api'],
  'sse/health': [...library, '@nestjs/terminus'],
  // Bundled into the page.
  'sse/inspector/page': ['@tanstack/virtual-core', 'uplot'],
  'sse/swagger': [...library, '@nestjs/swagger', '@standard-schema/spec'],
  ...Object.fromEntries(inPages.map((file) => [file, ['@standard-schema/spec']])),
};

for (const parent of ['', 'sse/']) {
  const folder = new URL(`src/${parent}`, import.meta.url);
  const names = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  for (const { name } of names.filter((entry) => entry.isDirectory())) {
    if (!(parent + name in rooms)) {
      throw new Error(`src/${parent}${name} is no room yet: say in eslint.config.js what it may import`);
    }
  }
}

const zones = [
  ...Object.entries(rooms).map(([room, allowed]) => ({
    target: `./src/${room}`,
    from: './src',
    except: [room, ...allowed],
    message: `src/${room} may import from ${allowed.join(', ') || 'itself'} only (see eslint.config.js).`,
  })),
  { target: './src/sse', from: './src/sse/index.ts', message: 'sse/index.ts is the door for others.' },
  ...['./src/main.ts', './src/app.module.ts'].map((target) => ({
    target,
    from: './src/sse',
    except: ['index.ts'],
    message: 'The app uses the library through sse/index.ts, as any app would.',
  })),
];

const packageRules = Object.entries(packages).map(([room, allowed]) => {
  const names = allowed.map((name) => name.replace('*', '.*'));
  const regex = `^(?!\\.|(${names.join('|') || '(?!)'})$)`;
  const message = `src/${room} may import ${allowed.join(', ') || 'no package'} only (see eslint.config.js).`;
  return {
    files: [room.endsWith('.ts') ? `src/${room}` : `src/${room}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ regex, message }] }] },
  };
});

export default defineConfig(
  { ignores: ['dist/', 'coverage/', 'node_modules/', 'src/sse/inspector/public/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // What JavaScript users pass is checked although its type promises to be right.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // `type<ChatMessage>()` is such a type parameter.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // Nest's option types are classes that one gives as literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // A method is async because its port says so.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: ['src/**/*.{ts,js}', 'test/**/*.{ts,js}'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts', '.js'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createNodeResolver({ extensionAlias: { '.js': ['.ts', '.js'] } })],
    },
    rules: {
      // No package imports this one: its files need not be read.
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'import-x/no-default-export': 'error', 'no-restricted-imports': ['error', 'nestjs-sse-hub'] },
  },
  ...packageRules,
  { files: ['**/*.js'], languageOptions: { globals: globals.node } },
  { files: ['src/**/public/**/*.js'], languageOptions: { globals: globals.browser } },
  {
    files: [
      'test/**/*.ts',
      'src/sse/testing/contracts/*.contract.ts',
      'src/sse/testing/contracts/listener.ts',
    ],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
