import { Registry } from 'prom-client';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Metrics } from '../../daemon/http/metrics.ts';
import { dashboardQueries } from '../support/dashboard.ts';

/** Labels of each metric that the daemon exports, by its name in the exposition. */
function exported(): ReadonlyMap<string, readonly string[]> {
  const noting = vi.spyOn(Registry.prototype, 'registerMetric');
  onTestFinished(() => noting.mockRestore());
  new Metrics();
  const found = new Map<string, readonly string[]>();
  for (const [metric] of noting.mock.calls as unknown as [{ name: string; labelNames: string[] }][]) {
    found.set(metric.name, metric.labelNames);
    if (!metric.name.endsWith('_seconds')) continue;
    found.set(`${metric.name}_bucket`, [...metric.labelNames, 'le']);
    for (const part of ['count', 'sum']) found.set(`${metric.name}_${part}`, metric.labelNames);
  }
  return found;
}

it('every query of the dashboard names metrics and labels that the daemon exports', () => {
  const known = exported();
  const queries = dashboardQueries();
  expect(queries.length).toBeGreaterThan(20);
  for (const { panel, metrics, labels } of queries) {
    expect(metrics.length, panel).toBeGreaterThan(0);
    for (const metric of metrics) {
      expect([...known.keys()], panel).toContain(metric);
      // Prometheus adds the address of the robot.
      for (const label of labels)
        expect([...known.get(metric)!, 'instance'], `${panel}: ${metric}`).toContain(label);
    }
  }
});
