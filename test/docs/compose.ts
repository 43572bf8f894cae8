import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../src/app/app.config.js';
import { root } from '../support/process.js';
import { blockWith } from './guides.js';
import { parseYaml } from './yaml.js';

interface Service {
  readonly image: string;
  readonly command?: string;
  readonly environment?: Record<string, string>;
  readonly depends_on?: readonly string[] | Record<string, unknown>;
  readonly healthcheck?: unknown;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

interface ComposeFile {
  readonly services: Record<string, Service>;
  readonly volumes?: Record<string, unknown>;
}

/** The keys of a service that are known here: a typing error would be one that is not. */
const KEYS = new Set([
  ...['image', 'command', 'environment', 'depends_on', 'healthcheck', 'ports', 'volumes'],
  ...['restart', 'working_dir'],
]);

/** Where a compose file of the demo contradicts itself, the app, or the guide's nginx, as far as can be seen without running it. */
export async function composeFaults(text: string): Promise<string[]> {
  const { services, volumes = {} } = (await parseYaml(text)) as ComposeFile;
  const faults = Object.entries(services).flatMap(([name, service]) =>
    faultsOf(service, services, volumes).map((fault) => `${name}: ${fault}`),
  );
  const apps = Object.entries(services).filter(([, { environment }]) => environment !== undefined);
  if (apps.length < 2) faults.push('there is one instance only');
  const upstream = blockWith('nginx', 'upstream app', '127.0.0.1:3002').code;
  for (const [name, app] of apps) {
    faults.push(...faultsOfApp(app, services).map((fault) => `${name}: ${fault}`));
    const address = `${name}:${app.environment?.PORT ?? ''}`;
    if (!upstream.includes(address)) faults.push(`the guide does not name ${address} for the upstream`);
  }
  // The tests run nginx with the lines of the first, see test/support/nginx.ts.
  const first = /server \S+( .*)?;/.exec(blockWith('nginx', 'location @away').code)?.[1];
  for (const [line, options] of upstream.matchAll(/server \S+( .*)?;/g))
    if (options !== first) faults.push(`the upstream has another line than the first: ${line}`);
  const { nginx } = services;
  const [, port] = /listen (\d+);/.exec(blockWith('nginx', 'location @away').code) ?? [];
  if (!nginx?.ports?.some((mapping) => mapping.endsWith(`:${port ?? ''}`)))
    faults.push(`nginx: it listens on ${port ?? 'nothing'}, which is not published`);
  return faults;
}

function faultsOf(
  service: Service,
  services: Record<string, Service>,
  volumes: Record<string, unknown>,
): string[] {
  const faults = Object.keys(service)
    .filter((key) => !KEYS.has(key))
    .map((key) => `${key} is not known`);
  if (!service.image) faults.push('has no image');
  const { depends_on: needs = [] } = service;
  for (const name of Array.isArray(needs) ? (needs as string[]) : Object.keys(needs))
    if (!(name in services)) faults.push(`depends on ${name}, which is not there`);
  if (!Array.isArray(needs) && JSON.stringify(needs).includes('service_healthy'))
    for (const name of Object.keys(needs))
      if (!services[name]?.healthcheck) faults.push(`waits for the health of ${name}, which has no check`);
  for (const [source = ''] of (service.volumes ?? []).map((volume) => volume.split(':')))
    if (!source.startsWith('.') && !(source in volumes)) faults.push(`there is no volume ${source}`);
  return faults;
}

/** The app is asked what it makes of its environment. */
function faultsOfApp(
  { environment = {}, command, image }: Service,
  services: Record<string, Service>,
): string[] {
  const faults: string[] = [];
  const config = readConfig(environment);
  const known = readFileSync(join(root, 'src/app/app.config.ts'), 'utf8');
  for (const variable of Object.keys(environment))
    if (!known.includes(`env['${variable}']`) && !known.includes(`'${variable}', env`))
      faults.push(`the app does not read ${variable}`);
  if (config.host !== '0.0.0.0') faults.push('listens where nginx does not come');
  if (config.backplane.kind !== 'redis' || !(new URL(config.backplane.url).hostname in services))
    faults.push('has no Redis');
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    engines: { node: string };
  };
  if (!command || !manifest.scripts.start?.includes(command)) faults.push('is not started as npm start does');
  const [, node = '0'] = /^node:(\d+)/.exec(image) ?? [];
  if (Number(node) < Number.parseInt(manifest.engines.node.replace('>=', '')))
    faults.push('its Node is too old');
  return faults;
}
