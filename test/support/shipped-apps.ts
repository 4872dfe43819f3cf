import { join } from 'node:path';
import { faultText } from '../../adapters/packages/index.ts';
import type { Application } from '../../contract/index.ts';
import { readPackage } from '../../daemon/compose/package-reader.ts';
import { loaded } from '../../daemon/compose/shelf-rules.ts';

/** The applications that come with the daemon, as it loads them; what tests need of their parts is named here too. */
export const maze = shipped('turtlebot-maze');
export const arm = shipped('ar4-physical-ai');
export const moves = shipped('robot-moves');

export { armFlow, BACK_S, TASKS } from '../../apps/ar4-physical-ai/flow.ts';
export type { LoadedPolicy, Progress } from '../../apps/ar4-physical-ai/flywheel/flywheel.ts';
export type { Pilot } from '../../apps/ar4-physical-ai/flywheel/pilot.ts';
export { rollOut, SUSTAINED_STEPS } from '../../apps/ar4-physical-ai/flywheel/rollout.ts';
export { wilson } from '../../apps/ar4-physical-ai/flywheel/wilson.ts';
export type { ArmWorld } from '../../apps/ar4-physical-ai/flywheel/world.ts';
export { forward, inverseDown } from '../../apps/ar4-physical-ai/kinematics.ts';
export {
  CHUNK,
  ENVIRONMENT_NAMES,
  FEATURES,
  HZ,
  START,
  STATE_NAMES,
} from '../../apps/ar4-physical-ai/observation.ts';
export { mazeChoices } from '../../apps/turtlebot-maze/agent-choices.ts';
export { chooseGoal, chooseRim } from '../../apps/turtlebot-maze/choose-goal.ts';
export { survey } from '../../apps/turtlebot-maze/frontier.ts';
export { cellOf, clearance, PER_CELL } from '../../apps/turtlebot-maze/grid.ts';
export { mapPicture } from '../../apps/turtlebot-maze/map-picture.ts';
export { pathTo, ROBOT_RADIUS_M } from '../../apps/turtlebot-maze/travel.ts';

function shipped(name: string): Application {
  const folder = join(import.meta.dirname, '..', '..', 'apps', name);
  const read = readPackage(folder, { keys: new Map(), requireSigned: false });
  if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
  return loaded(read, folder);
}
