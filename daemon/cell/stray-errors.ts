/** Whether an uncaught error is known to be of foreign code, and dealt with. */
export type StrayTaker = (thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin) => boolean;

const takers = new Set<StrayTaker>();

/** Cells that run code of others say so here; any other stray error ends its process. */
export function onStray(taker: StrayTaker): void {
  takers.add(taker);
}

export function isTaken(thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin): boolean {
  return [...takers].some((take) => take(thrown, origin));
}
