import { type CellName, LIMITS } from '../../contract/core.ts';
import { ALLOCATOR } from '../cell/allocator.ts';
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

/** Of the process of the lakehouse's engine. It inherits the limit of its memory from the memory cell. */
export const LAKE_ENV: Readonly<Record<string, string>> = { ...ALLOCATOR, ...GIVE_BACK, ...THREADS };

export function processOf(name: CellName, config: Settings['config']): CellProcess {
  const flags = flagsOf(name, config);
  if (name === 'execution') return { flags };
  if (name !== 'memory') return { flags, env: ALLOCATOR };
  return { flags, dataBytesMax: LIMITS.MEMORY_CELL_DATA_BYTES_MAX, env: LAKE_ENV };
}
