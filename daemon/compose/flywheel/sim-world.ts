import { Expert, type Task } from '../../../apps/ar4-physical-ai/expert.ts';
import type { ArmWorld } from '../../../apps/ar4-physical-ai/flywheel/world.ts';
import type { Chain } from '../../../apps/ar4-physical-ai/kinematics.ts';
import { type ArmView, HZ } from '../../../apps/ar4-physical-ai/observation.ts';
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

/** The simulated arm in this process, without sockets: what the flywheel teaches and measures in. */
export class SimWorld implements ArmWorld {
  readonly simulation: ArmSimulation;
  readonly expert: Expert;
  readonly #task: Task;

  constructor(simulation: ArmSimulation, task: Task) {
    this.simulation = simulation;
    this.#task = task;
    this.expert = new Expert(expertChain(), task);
  }

  reset(seed: number): void {
    this.simulation.reset(seed);
  }
  view(): ArmView {
    return { state: [...this.simulation.positions], environment: [...environmentOf(this.simulation)] };
  }
  command(action: ArrayLike<number>): void {
    this.simulation.command(action);
  }
  step(): void {
    for (let i = 0; i < WINDOWS_PER_STEP; i++) this.simulation.window();
  }
  success(): boolean {
    return this.#task === 'reach' ? this.simulation.reached : this.simulation.success;
  }
}
