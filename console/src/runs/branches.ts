/** A tree of runs. Pure. */
import type { RunDetails } from '../lib/views.ts';

export type Branch = { readonly details: RunDetails; readonly below: readonly Branch[] };

/** Parents before children, as the API lists them; a run whose parent is not listed is a root. */
export function branchesOf(runs: readonly RunDetails[]): readonly Branch[] {
  const made = new Map<string, { details: RunDetails; below: Branch[] }>();
  for (const details of runs) made.set(details.run.run_id, { details, below: [] });
  const roots: Branch[] = [];
  for (const branch of made.values()) {
    const parent = made.get(branch.details.run.parent_run_id ?? '');
    (parent && parent !== branch ? parent.below : roots).push(branch);
  }
  return roots;
}
