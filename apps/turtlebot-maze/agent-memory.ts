import { beginFacts, type MazeFacts } from './facts.ts';

/** Runs whose searches are remembered; the oldest is forgotten and starts over. */
const RUNS_MAX = 32;

/**
 * What an agent's search knows between two calls: where it was stuck, where it is heading. A restart forgets it,
 * which only makes its choices worse.
 */
const runs = new Map<string, MazeFacts>();

export function recall(runId: string): MazeFacts {
  return runs.get(runId) ?? beginFacts();
}

export function remember(runId: string, facts: MazeFacts): void {
  runs.delete(runId);
  runs.set(runId, facts);
  for (const oldest of runs.keys()) {
    if (runs.size <= RUNS_MAX) return;
    runs.delete(oldest);
  }
}
