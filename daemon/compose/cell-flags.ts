import { type CellName, LIMITS } from '../../contract/core.ts';
import type { Settings } from '../settings.ts';
import type { CellProcess } from '../supervisor/cell-process.ts';

const COMMON_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--expose-gc',
  `--import=${new URL('../cell/near-modules.ts', import.meta.url)}`,
  `--import=${new URL('../cell/shrink-heap.ts', import.meta.url)}`,
];

/** Node flags of cells: a young heap of 2 MB is enough and keeps five processes small. Threads inherit them. */
export const CELL_FLAGS = [...COMMON_FLAGS, '--max-semi-space-size=2'];

/**
 * Each collection of the young heap holds the event loop up for 0.2 to 0.4 ms, and a Zenoh query leaves 4 to 7 KB: with
 * 2 MB that is one query in 250, on either side. Large frames pay for it with 7 to 8% of their rate (bench/README.md). A
 * greatest size would bind the threads of the cell too; they have their own (`SMALL_THREAD`).
 */
export const ZENOH_CELL_FLAGS = [...COMMON_FLAGS, '--min-semi-space-size=8'];

/**
 * Collecting garbage and compiling, an isolate waits for helper threads of the process. Those have no real-time class:
 * under load a control step would wait for them, tens of milliseconds, whatever class its own thread has.
 */
const REAL_TIME_FLAGS = ['--single-threaded'];

export function flagsOf(name: CellName, config: Settings['config']): readonly string[] {
  if (name !== 'execution') return CELL_FLAGS;
  const flags = config.zenoh.enabled ? ZENOH_CELL_FLAGS : CELL_FLAGS;
  return config.controllers.length > 0 && config.control.real_time > 0
    ? [...flags, ...REAL_TIME_FLAGS]
    : flags;
}

/**
 * The allocator of DuckDB keeps addresses that it does not use, and those count against the limit: after one greedy
 * statement the cell would have no room left. So it gives them back at once.
 */
const GIVE_BACK = { DUCKDB_JE_MALLOC_CONF: 'retain:false,dirty_decay_ms:0,muzzy_decay_ms:0' };

/**
 * A query keeps a thread of the pool for as long as it runs. Node has four: as many long queries would hold up the
 * projection and every read of a file.
 */
const THREADS = { UV_THREADPOOL_SIZE: String(LIMITS.LAKE_QUERIES_MAX + 4) };

/**
 * Loading a cell leaves its heap in pieces that glibc keeps: with these limits it gives them back, and threads share
 * arenas. The execution cell has none of them: its frames of 900 KB would be mapped and unmapped one by one, and its threads
 * would wait for each other. `forgetAllocator` removes them from what other programs inherit.
 */
const ALLOCATOR: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: String(128 * 1024),
  MALLOC_MMAP_THRESHOLD_: String(64 * 1024),
};

/** In the cell, at its start: the allocator has read them, and its children are other programs. */
export function forgetAllocator(env: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(ALLOCATOR)) if (env[name] === value) delete env[name];
}

export function processOf(name: CellName, config: Settings['config']): CellProcess {
  const flags = flagsOf(name, config);
  if (name === 'execution') return { flags };
  if (name !== 'memory') return { flags, env: ALLOCATOR };
  const env = { ...ALLOCATOR, ...GIVE_BACK, ...THREADS };
  return { flags, dataBytesMax: LIMITS.MEMORY_CELL_DATA_BYTES_MAX, env };
}
