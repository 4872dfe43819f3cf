import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type DashboardQuery = {
  readonly panel: string;
  /** PromQL with the variables of the dashboard filled in. */
  readonly expr: string;
  readonly metrics: readonly string[];
  /** Labels that the query or its legend names. */
  readonly labels: readonly string[];
  /** Labels of the legend alone. */
  readonly legend: readonly string[];
};

type Panel = {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
};

/** Each query of the dashboard for Grafana that the documents offer. `window`: what Grafana takes for a rate. */
export function dashboardQueries(window = '5s'): DashboardQuery[] {
  const path = join(import.meta.dirname, '../../docs/examples/grafana-dashboard.json');
  const { panels } = JSON.parse(readFileSync(path, 'utf8')) as { panels: readonly Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => {
      const filled = expr.replaceAll('$robot', '.*').replaceAll('$__rate_interval', window);
      const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
      const grouped = [...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/));
      const matched = [...expr.matchAll(/[{,](\w+)=/g)].map(([, label]) => label!);
      const metrics = [...expr.matchAll(/\bauraison_\w+/g)].map(([name]) => name);
      const labels = [...new Set([...legend, ...grouped, ...matched])];
      return { panel: title, expr: filled, metrics, labels, legend };
    }),
  );
}
