import { type CellContext, DEFAULT_QOS, type Manipulator, type Sample } from '../../contract/core.ts';
import { TWIST } from '../../formats/cdr/index.ts';
import {
  ARM_COMMAND,
  ARM_TOPICS,
  ARM_TRAJECTORY,
  CAMERA_TOPICS,
  TASK_RESET,
} from '../../sim/arm/arm-topics.ts';
import { SimArm } from '../../sim/arm/sim-arm.ts';
import { SimRobot } from '../../sim/client.ts';
import { type DoorPath, RobotSink } from '../execution/door/index.ts';
import { socketPath } from '../paths.ts';
import type { Settings } from '../settings.ts';
import type { RobotIo } from './robot-parts.ts';

/** Velocities of a base that this robot does not have: taken by no receiver, and counted so. */
const NO_BASE = { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS };

/**
 * The simulated arm as the execution cell meets it: by the clock, without a base, with cameras where they are wanted.
 */
export function simArmIo({ config, dataDir }: Settings, { clock, report }: CellContext): Partial<RobotIo> {
  const robot = new SimRobot({
    socket: socketPath(dataDir, 'sim.sock'),
    clock,
    obeys: [ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET, NO_BASE],
    onFault: (error) => report('warn', error.message, { code: error.code }),
  });
  const cameras = config.sim.camera_rate > 0 ? Object.values(CAMERA_TOPICS) : [];
  // Every process that commands the arm uses these topics. Neither waits for anything.
  for (const topic of [ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET]) void robot.advertise(topic);
  return {
    source: robot,
    sink: new RobotSink({
      advertise: (topic) => robot.advertise(topic),
      offer: (sample) => sample.topic !== NO_BASE.topic && robot.offer(sample),
      close: () => robot.close(),
    }),
    obeys: [ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET].map(({ topic }) => topic),
    topics: [...Object.values(ARM_TOPICS), ...cameras],
    command: NO_BASE,
  };
}

/** Its motions. */
export function makeSimArm(
  path: DoorPath | undefined,
  { clock }: CellContext,
): (Manipulator & { observe(sample: Sample): void; close(): Promise<void> }) | undefined {
  return path && new SimArm(clock, path);
}
