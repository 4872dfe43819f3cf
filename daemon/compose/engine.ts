import { join } from 'node:path';
import type { CellContext } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import type { RunningEngine } from '../runtime/models/engine-shelf.ts';

/** Undefined where the configuration wants none. Loaded only where one is run. */
export async function makeEngine(
  { config, dataDir }: { readonly config: Config; readonly dataDir: string },
  { clock, emit, report }: Pick<CellContext, 'clock' | 'emit' | 'report'>,
): Promise<RunningEngine | undefined> {
  const keys = config.engine;
  if (keys.model_name === '') return undefined;
  const row = config.models.find(({ name }) => name === keys.model_name);
  const { checkRevision, EngineClient, EngineModel, EngineProcess, freeMemory, SupervisedEngine } =
    await import('../../adapters/vllm/engine/index.ts');
  const engine = new SupervisedEngine(
    {
      command: keys.command,
      model: keys.model,
      revision: keys.revision,
      port: keys.port,
      // As its server names it: what calls ask for.
      name: row?.model ?? keys.model_name,
      env: keys.env,
      memoryFloor: keys.memory_floor,
      startMs: keys.start_timeout,
      stopMs: keys.stop_timeout,
      sleepAfterMs: keys.sleep_after,
      sleepLevel: keys.sleep_level === 2 ? 2 : 1,
    },
    {
      clock,
      client: new EngineClient(keys.port, clock),
      launch: (argv, env, onLine) =>
        new EngineProcess({
          ...{ argv, env, clock, onLine },
          stopMs: keys.stop_timeout,
          noteFile: join(dataDir, 'run', 'engine.json'),
        }),
      memory: () => freeMemory(),
      revision: checkRevision,
      ownEnv: process.env,
      emit: (events) => emit(events),
      report,
    },
  );
  return {
    api: engine,
    wrap: (model) => (model.info.name === keys.model_name ? new EngineModel(model, engine, clock) : model),
    start: () => engine.start(),
    stop: () => engine.stop(),
  };
}
