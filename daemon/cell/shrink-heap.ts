import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { threadId } from 'node:worker_threads';

/**
 * Loaded into each cell and its threads before their own code (`--import`, see `compose/cell-flags.ts`). Loading modules
 * leaves a heap that is a third garbage, and an idle thread never gets to collect it: it is collected once, when
 * the start is over.
 */
const AFTER_START_MS = 5_000;
/**
 * What starts together does not do this together: six processes and their threads on two cores would hold each other up,
 * and an API that stands still for half a second refuses orders that may be old. Process and thread choose a place.
 */
const PLACES = 8;
const PLACE_MS = 600;
/** Between the writing of compiled code and the collection what waits is served. */
const BETWEEN_MS = 300;

type Collect = (options: { type: 'major'; flavor: 'last-resort'; execution: 'sync' }) => void;

/**
 * Takes 10 to 40 ms of this thread, with all cells in one process some 100 ms, during which it does nothing else. On a host that
 * gives the daemon a tenth of what it needs that is up to a second: what moves then stops when its lease runs out.
 */
export function shrinkHeap(): void {
  const gc = globalThis.gc ?? foundGc();
  gc({ type: 'major', flavor: 'last-resort', execution: 'sync' });
}

/**
 * Where Node runs without `--expose-gc`: the supervisor, and the cells in it (`cells = "inline"`). V8 takes no compiled
 * code from the disk that was made under other flags, so the flag is put back.
 */
function foundGc(): Collect {
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('gc') as Collect;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}

/** Node keeps compiled code at the end of a process only: one that is killed would have kept nothing. */
export function startIsOver(): void {
  flushCompileCache();
  if (!ownCare) setTimeout(shrinkHeap, BETWEEN_MS).unref();
}

// The control thread, which must not stand still when a robot drives, does it itself before it starts.
const ownCare = /control-main\.(?:ts|mjs)$/.test(process.argv[1] ?? '');
const place = (process.pid + threadId) % PLACES;
setTimeout(startIsOver, AFTER_START_MS + place * PLACE_MS).unref();
