import { fileURLToPath } from 'node:url';
import { wordsOf } from '../../contract/core.ts';
import { GRIPPER_NAME } from '../../sim/arm/arm-model.ts';
import type { Config } from '../config.ts';
import { ArmFigureView, type FigureSpec } from '../execution/arm-figure.ts';
import { readModel } from './safety.ts';

/** Written from the model of the simulated arm, which needs no configuration to be known. */
const SIM_URDF = fileURLToPath(new URL('../../sim/arm/ar4.urdf', import.meta.url));

/** The arm as the console draws it; undefined where nothing is said of any joints. */
export function makeArmFigure({ arm, gate, robot, sim }: Config): ArmFigureView | undefined {
  const simulated = robot.source === 'sim' && sim.world === 'arm';
  if (!simulated && !arm.enabled && gate.joints.length === 0) return undefined;
  const urdf = gate.urdf === '' && simulated ? SIM_URDF : gate.urdf;
  return new ArmFigureView({
    ...modelOf(urdf),
    base: gate.base,
    tool: gate.tool,
    joints: gate.joints.length > 0 ? gate.joints : arm.joints,
    gripper: simulated ? GRIPPER_NAME : arm.gripper_joint,
    limits: gate.limits,
  });
}

/** It is drawn and nothing else: a file that cannot be read keeps no cell from starting. The gate reads its own. */
function modelOf(urdf: string): Pick<FigureSpec, 'model' | 'fault'> {
  if (urdf === '') return { model: undefined };
  try {
    return { model: readModel(urdf) };
  } catch (thrown) {
    return { model: undefined, fault: wordsOf(thrown) };
  }
}
