import { application as ar4PhysicalAi } from '../../apps/ar4-physical-ai/index.ts';
import { application as turtlebotMaze } from '../../apps/turtlebot-maze/index.ts';
import type { Application } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { withHarness } from './pi.ts';

/** Applications whose robot this may be: the arm's where there is a controller for one of its tasks. */
export function missionsOf({
  apps,
  controllers,
}: Pick<Config, 'apps' | 'controllers'>): readonly Application[] {
  const tasks = ar4PhysicalAi.intents.map(({ type }) => type.split('/').at(-1));
  const hasArm = controllers.some(({ name }) => tasks.includes(name));
  return [withHarness(turtlebotMaze, apps.turtlebot_maze), ...(hasArm ? [ar4PhysicalAi] : [])];
}
