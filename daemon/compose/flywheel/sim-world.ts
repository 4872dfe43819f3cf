import { Expert, type Task } from '../../../apps/ar4-physical-ai/expert.ts';
import type { ArmWorld } from '../../../apps/ar4-physical-ai/flywheel/world.ts';
import type { Chain } from '../../../apps/ar4-physical-ai/kinematics.ts';
import { HZ } from '../../../apps/ar4-physical-ai/observation.ts';
import { environmentOf } from '../../../sim/arm/arm-messages.ts';
import { ARM_JOINTS, ARM_WINDOW_NS, GRIPPER } from '../../../sim/arm/arm-model.ts';
import type { ArmSimulation } from '../../../sim/arm/arm-simulation.ts';

const WINDOWS_PER_STEP = Math.round(1e9 / HZ / Number(ARM_WINDOW_NS));
/** The wrist turns about the upright tool with joint 6; joint 4 stays where it is. */
const LOCKED = 'joint_4';

/** The arm as the expert knows it. */
export function expertChain(): Chain {
  const joints = ARM_JOINTS.map((joint) =>
    joint.name === LOCKED ? { ...joint, lower: 0, upper: 0 } : joint,
  );
  return { joints, tip: GRIPPER.grasp };
}

/** The simulated arm in this process, without sockets: used by the flywheel for training and evaluation. */
export type SimWorld = ArmWorld & { readonly simulation: ArmSimulation; readonly expert: Expert };

export function simWorld(simulation: ArmSimulation, task: Task): SimWorld {
  return {
    simulation,
    expert: new Expert(expertChain(), task),
    reset: (seed) => simulation.reset(seed),
    view: () => ({ state: [...simulation.positions], environment: [...environmentOf(simulation)] }),
    command: (action) => simulation.command(action),
    step: () => simulation.windows(WINDOWS_PER_STEP),
    success: () => (task === 'reach' ? simulation.reached : simulation.success),
  };
}
