import { readConfig } from '../../src/app/app.config.js';
import { HealthController } from '../../src/app/health.controller.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { blockWith } from './guides.js';
import { parseYaml } from './yaml.js';

interface Probe {
  readonly httpGet?: { readonly path?: string; readonly port?: string };
  readonly periodSeconds?: string;
  readonly failureThreshold?: string;
}

interface Container {
  readonly ports?: readonly { readonly containerPort: string }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface Pod {
  readonly spec: {
    readonly terminationGracePeriodSeconds?: string;
    readonly containers: readonly Container[];
  };
}

/** Where a pod of the demo contradicts the demo, or its times those of the guide. */
export async function podFaults(text: string): Promise<string[]> {
  const { spec } = (await parseYaml(text)) as Pod;
  const port = String(readConfig({}).port);
  const faults: string[] = [];
  for (const { ports, livenessProbe, readinessProbe } of spec.containers) {
    if (!ports?.some(({ containerPort }) => containerPort === port))
      faults.push(`does not listen on ${port}`);
    for (const [name, probe] of Object.entries({ live: livenessProbe, ready: readinessProbe })) {
      const { path, port: asked } = probe?.httpGet ?? {};
      if (path !== `/health/${name}` || !(name in HealthController.prototype))
        faults.push(`asks for ${name} at ${path ?? 'no address'}`);
      if (asked !== port) faults.push(`asks for ${name} at port ${asked ?? ''}`);
    }
  }
  const [, notice = '0'] = /notice: ([\d_]+)/.exec(blockWith('ts', 'shutdown: { notice').code) ?? [];
  const closing = Number(notice.replace('_', '')) + moduleSettings().shutdown.grace;
  if (Number(spec.terminationGracePeriodSeconds) * 1_000 <= closing)
    faults.push('is killed before it is closed');
  return faults;
}
