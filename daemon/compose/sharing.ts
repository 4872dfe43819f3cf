import { cpuLoad, memoryPressure } from '../../adapters/host-load/host-load.ts';
import type { PressureGauge } from '../../contract/core.ts';
import type { RunSharingRules } from '../runtime/queue/run-sharing.ts';
import type { Settings } from '../settings.ts';

/** How runs share this host. `modelQueue`: requests that wait at the models; undefined where it is unknown. */
export function makeSharing(
  { config: { runs } }: Settings,
  modelQueue: () => number | undefined = () => undefined,
  more: readonly PressureGauge[] = [],
): RunSharingRules {
  return {
    runsPerApp: runs.runs_per_app,
    queuePerApp: runs.queue_per_app,
    runsMax: runs.runs_max,
    agingMs: runs.aging,
    pressureWaitMs: runs.pressure_wait,
    gauges: [
      { name: 'queue of the models', unit: 'requests', limit: runs.model_queue_max, read: modelQueue },
      cpuLoad(runs.load_max),
      memoryPressure(runs.memory_pressure_max),
      ...more,
    ],
  };
}
