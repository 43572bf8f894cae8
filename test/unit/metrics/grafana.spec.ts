import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { INSTRUMENTS, prometheusName } from '../../../src/sse/instruments/instruments.js';
import { root } from '../../support/process.js';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
  }[];
  readonly fieldConfig?: {
    readonly defaults: { readonly unit: string };
    readonly overrides: readonly unknown[];
  };
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly definition?: string;
}

interface Dashboard {
  readonly id: null;
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly time: { readonly from: string; readonly to: string };
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly unknown[] };
}

const dashboard = JSON.parse(readFileSync(join(root, 'src/sse/metrics/grafana.json'), 'utf8')) as Dashboard;
const { panels, templating } = dashboard;
const plots = panels.filter(({ type }) => type !== 'row');
const expressions = plots.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** The labels of each series that Prometheus has, and those that it adds by itself. */
const series = new Map<string, string[]>(
  (Object.keys(INSTRUMENTS) as (keyof typeof INSTRUMENTS)[]).flatMap((name): [string, string[]][] => {
    const { kind, labels } = INSTRUMENTS[name];
    const whole = prometheusName(name);
    const all = ['instance', 'job', ...labels];
    if (kind !== 'histogram') return [[whole, all]];
    return ['_bucket', '_sum', '_count'].map((end) => [whole + end, [...all, 'le']]);
  }),
);

describe('the dashboard for Grafana', () => {
  it('is one that Grafana imports', () => {
    expect(dashboard).toMatchObject({ id: null, uid: 'nestjs-sse-hub', title: 'nestjs-sse-hub' });
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(36);
    expect(dashboard.time).toEqual({ from: 'now-1h', to: 'now' });
    expect(dashboard.annotations.list).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, type, targets, datasource, fieldConfig } of plots) {
      expect([title, ['timeseries', 'stat'].includes(type)]).toEqual([title, true]);
      expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
      expect(new Set(targets!.map(({ refId }) => refId)).size).toBe(targets!.length);
      expect(fieldConfig!.defaults.unit).toMatch(/^(short|ops|s|Bps|bytes)$/);
      expect(fieldConfig!.overrides).toEqual([]);
    }
  });

  it('lays its panels out side by side, none over another', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false]);
          taken.add(`${x} ${y}`);
        }
    }
  });

  it('names metrics and labels that there are', () => {
    for (const expression of expressions) {
      const found = [...expression.matchAll(/\b(sse_\w+)(?:\{([^}]*)\})?/g)];
      expect([expression, found.length]).toEqual([expression, 1]);
      const [, name, matchers = ''] = found[0]!;
      expect([expression, series.has(name!)]).toEqual([expression, true]);
      const labels = series.get(name!)!;
      const used = [...matchers.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!);
      const by = /by \(([^)]*)\)/.exec(expression)?.[1]?.split(', ') ?? [];
      for (const label of [...used, ...by])
        expect([expression, labels]).toEqual([expression, expect.arrayContaining([label])]);
      // A counter is shown as a rate, and nothing else is.
      expect([expression, /rate\(/.test(expression)]).toEqual([expression, /_(total|bucket)$/.test(name!)]);
    }
  });

  it('shows every metric', () => {
    const shown = (Object.keys(INSTRUMENTS) as (keyof typeof INSTRUMENTS)[])
      .map(prometheusName)
      .filter(
        (name) => !expressions.some((expression) => new RegExp(`\\b${name}(_bucket)?\\b`).test(expression)),
      );
    expect(shown).toEqual([]);
  });

  it('has the variables that its expressions use', () => {
    const names = templating.list.map(({ name }) => name);
    const used = expressions.flatMap((expression) =>
      [...expression.matchAll(/\$(\w+)/g)].map(([, name]) => name!),
    );
    expect([...new Set(used)].filter((name) => name !== '__rate_interval').sort()).toEqual([
      'definition',
      'instance',
    ]);
    expect(names).toEqual(['datasource', 'instance', 'definition']);
    for (const { definition } of templating.list)
      if (definition) expect(series.has(/label_values\((\w+),/.exec(definition)![1]!)).toBe(true);
  });

  it('draws its legend of labels that the series still has', () => {
    for (const { targets = [] } of plots)
      for (const { expr, legendFormat } of targets) {
        const by = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ') ?? [];
        const isWhole = !/sum/.test(expr);
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          if (!isWhole) expect([expr, by]).toEqual([expr, expect.arrayContaining([label!])]);
      }
  });
});
