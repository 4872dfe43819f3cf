import type { ModelInfo } from '../../contract/core.ts';
import type { ModelRow } from './models.ts';

/** A model as its configuration describes it to applications. */
export function modelInfo(row: ModelRow): ModelInfo {
  const { name, model: modelId, vision, tools, context, latency, cost_in: costIn, cost_out: costOut } = row;
  return { name, modelId, vision, tools, context, latency, costIn, costOut };
}

/** What policies see of a model before it is asked, beside the request itself. */
export function modelFacts(row: ModelRow): Readonly<Record<string, unknown>> {
  const { modelId, costIn, costOut } = modelInfo(row);
  return { model_id: modelId, kind: row.kind, url: modelUrl(row), cost_in: costIn, cost_out: costOut };
}

/** Where its requests go; a provider without an address goes by its name. */
export function modelUrl({ kind, url, provider }: ModelRow): string {
  return kind === 'pi' ? url || `${provider}:` : url;
}

/** Whether it takes its processors from the control loops of this robot. */
export function isLocalModel({ local, url }: ModelRow): boolean {
  if (local !== 'auto') return local === 'yes';
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
