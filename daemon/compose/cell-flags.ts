import type { CellName } from '../../contract/core.ts';
import type { Settings } from '../settings.ts';

/**
 * Node flags of cells: a young heap of 2 MB is enough and keeps five processes small; threads inherit them. A larger one
 * gains nothing for queries and costs frames in shared memory an eighth (bench/README.md).
 */
export const CELL_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=2',
  '--expose-gc',
  `--import=${new URL('./shrink-heap.ts', import.meta.url)}`,
];

/**
 * Collecting garbage and compiling, an isolate waits for helper threads of the process. Those have no real-time class:
 * under load a control step would wait for them, tens of milliseconds, whatever class its own thread has.
 */
const REAL_TIME_FLAGS = ['--single-threaded'];

export function flagsOf(name: CellName, config: Settings['config']): readonly string[] {
  const real = name === 'execution' && config.controllers.length > 0 && config.control.real_time > 0;
  return real ? [...CELL_FLAGS, ...REAL_TIME_FLAGS] : CELL_FLAGS;
}
