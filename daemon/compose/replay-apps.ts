import { application as turtlebotMaze } from '../../apps/turtlebot-maze/index.ts';
import type { Application, Harness, Tool } from '../../contract/core.ts';
import { FlowHarness } from '../runtime/flow/flow-harness.ts';
import type { Settings } from '../settings.ts';

/** Applications, harnesses and definitions of tools as the daemon would load them now, without anything live behind. */
export async function loadedForReplay(_settings: Settings): Promise<{
  readonly loaded: ReadonlyMap<string, { readonly app: Application; readonly harness: Harness }>;
  readonly tools: readonly Tool[];
}> {
  const apps: readonly Application[] = [turtlebotMaze];
  const loaded = new Map<string, { app: Application; harness: Harness }>();
  for (const app of apps) if (app.flow) loaded.set(app.name, { app, harness: new FlowHarness(app.flow) });
  return { loaded, tools: [] };
}
