import type { Clock, Tool } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import type { ArmProxy } from '../arm-proxy.ts';
import { jointsAt } from '../robot-probes.ts';
import { motionDeadlineMs, resultToLog } from '../robot-tools.ts';
import { closed, houseTool, Metres, Seconds } from './kit.ts';

/** No joint of an arm turns or slides further, radians or metres. */
const JOINT_MAX = 100;
const MOVE_S = 4;
/** Robot time that a gripper may take, milliseconds. */
const GRIPPER_MS = 15_000;

const Move = Type.Object(
  {
    joints: Type.Record(
      Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_./-]{0,127}$' }),
      Type.Number({
        minimum: -JOINT_MAX,
        maximum: JOINT_MAX,
        description: 'target, radians (metres for a joint that slides)',
      }),
      {
        ...closed,
        minProperties: 1,
        maxProperties: 32,
        description: 'target by joint, as arm.state names them; joints that are absent stay',
      },
    ),
    duration_s: Type.Optional(
      Seconds(0.2, 300, `time to be there, robot time; slower is safer; ${MOVE_S} where absent`),
    ),
  },
  closed,
);

const Gripper = Type.Object(
  {
    opening_m: Metres(0, 0.5, 'between the fingers; 0 is closed'),
    effort_n: Type.Number({ minimum: 0, maximum: 200, description: 'at most this force, newtons' }),
  },
  closed,
);

/** The arm: joints, gripper, and where they are. */
export function armTools(arm: ArmProxy, clock: Clock): readonly Tool[] {
  return [
    houseTool({
      name: 'arm.move',
      description:
        'Moves joints of the arm to targets, all there at the same time. Ends with an outcome: reached, stuck, ' +
        'timeout, preempted or stopped; a stopped arm holds its position.',
      input: Move,
      effect: 'actuate',
      replay: 'probe',
      deadlineMs: motionDeadlineMs(MOVE_S * 1_000),
      callDeadlineMs: ({ duration_s = MOVE_S }) => motionDeadlineMs(duration_s * 1_000),
      run: async ({ joints, duration_s = MOVE_S }, { signal }) => ({
        result: resultToLog(await arm.move(joints, duration_s * 1_000, signal)),
      }),
      probe: async ({ joints }, { signal }) => {
        const there = await jointsAt(() => arm.state(), joints, clock, signal);
        return there && { result: resultToLog(there) };
      },
    }),
    houseTool({
      name: 'arm.gripper',
      description:
        'Opens or closes the gripper. One that holds something before it is as narrow as asked has reached it.',
      input: Gripper,
      effect: 'actuate',
      // A hand that is as wide as its object may hold it or not: joint states do not tell what was grasped.
      replay: 'never',
      deadlineMs: motionDeadlineMs(GRIPPER_MS),
      run: async ({ opening_m, effort_n }, { signal }) => ({
        result: resultToLog(await arm.gripper(opening_m, effort_n, GRIPPER_MS, signal)),
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
