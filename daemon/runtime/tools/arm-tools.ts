import {
  type Clock,
  goalOfGripper,
  goalOfMove,
  MOTION_DEFAULTS,
  motionDeadlineMs,
  motionSchemas,
  motionTimeMs,
  resultToLog,
  type Tool,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import type { ArmProxy } from '../robot/arm-proxy.ts';
import { jointsAt } from '../robot/robot-probes.ts';
import { closed, houseTool } from './kit.ts';

/** The arm: joints, gripper, and where they are. */
export function armTools(arm: ArmProxy, clock: Clock): readonly Tool[] {
  return [
    houseTool({
      name: 'arm.move',
      description:
        'Moves joints of the arm to targets, all there at the same time. Ends with an outcome: reached, stuck, ' +
        'timeout, preempted or stopped; a stopped arm holds its position.',
      input: motionSchemas.MoveArgs,
      effect: 'actuate',
      replay: 'probe',
      deadlineMs: motionDeadlineMs(2 * MOTION_DEFAULTS.MOVE_MS),
      callDeadlineMs: (args) => motionDeadlineMs(motionTimeMs('follow', goalOfMove(args))),
      run: async (args, { signal }) => ({ result: resultToLog(await arm.follow(goalOfMove(args), signal)) }),
      probe: async ({ joints }, { signal }) => {
        const there = await jointsAt(() => arm.state(), joints, clock, signal);
        return there && { result: resultToLog(there) };
      },
    }),
    houseTool({
      name: 'arm.gripper',
      description:
        'Opens or closes the gripper. One that holds something before it is as narrow as asked has reached it.',
      input: motionSchemas.GripperArgs,
      effect: 'actuate',
      // A hand that is as wide as its object may hold it or not: joint states do not show what was grasped.
      replay: 'never',
      deadlineMs: motionDeadlineMs(MOTION_DEFAULTS.GRIPPER_MS),
      run: async (args, { signal }) => ({
        result: resultToLog(await arm.gripper(goalOfGripper(args), signal)),
      }),
    }),
    houseTool({
      name: 'arm.state',
      description: 'Positions of the joints (radians or metres) and whether the arm moves.',
      input: Type.Object({}, closed),
      effect: 'read',
      replay: 'safe',
      deadlineMs: 5_500,
      run: async () => {
        const { joints, motion, connected } = await arm.state();
        const positions = Object.entries(joints).map(([joint, { position, effort }]) => [
          joint,
          { position, ...(effort === undefined ? {} : { effort }) },
        ]);
        return { result: { motion, connected, joints: Object.fromEntries(positions) } };
      },
    }),
  ];
}
