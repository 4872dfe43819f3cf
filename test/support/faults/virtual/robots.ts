import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TopicSpec } from '../../../../contract/index.ts';
import { DRIVE_LIMITS } from '../../../../daemon/execution/control/drive-limits.ts';
import type { ControllerSpec } from '../../../../daemon/execution/controllers/controller-spec.ts';
import { SpeedGate } from '../../../../daemon/execution/controllers/speed-gate.ts';
import { gateSpec } from '../../../../daemon/execution/safety/gate-from-urdf.ts';
import { makeJointGate } from '../../../../daemon/execution/safety/index.ts';
import type { SafetyOptions } from '../../../../daemon/execution/safety/safety-desk.ts';
import { BOOL } from '../../../../formats/cdr/index.ts';
import { readUrdf } from '../../../../formats/urdf/index.ts';
import { ALL_NAMES, GRIPPER, HOME, JOINT_SPEED_MAX } from '../../../../sim/arm/arm-model.ts';
import { ARM_COMMAND, ARM_TOPICS, ARM_TRAJECTORY } from '../../../../sim/arm/arm-topics.ts';
import { HostedArm } from '../../../../sim/arm/hosted-arm.ts';
import { SimArm } from '../../../../sim/arm/sim-arm.ts';
import type { HostedWorld } from '../../../../sim/hosted-world.ts';
import { Simulation } from '../../../../sim/simulation.ts';
import { CMD_VEL, SIM_TOPICS } from '../../../../sim/topics.ts';
import { controllerSpec } from '../../../fakes/controller-spec.ts';
import type { RobotFacts } from '../record.ts';
import type { RobotParts } from './execution.ts';
import type { Measure } from './world.ts';

/** The button of the emergency stop that another node of the robot publishes. */
export const BUTTON: TopicSpec = { topic: '/emergency_stop', type: BOOL, qos: CMD_VEL.qos };

/** The key of the emergency stop. */
export const STOP_KEY = 'robot/estop';

/** A simulated robot and what its daemon has to know of it. */
export type VirtualRobot = {
  readonly facts: RobotFacts;
  readonly parts: RobotParts;
  /** What the policy of its controller wants at a time, and what it looks at. */
  readonly policy: {
    readonly inputs: Readonly<Record<string, readonly number[]>>;
    values(tMs: number): readonly number[];
  };
  open(
    seed: number,
  ): Promise<{ readonly world: HostedWorld; readonly measure: Measure; readonly simulation?: Simulation }>;
};

const TIMES = { ttlMs: 3_000, ttlMsMax: 60_000 };
const MAZE = { width: 5, height: 5 };

export const BASE_FACTS: RobotFacts = {
  commands: 'speeds',
  speedMax: [0.46, 1.9],
  restSpeed: [0.01, 0.04],
};
export const ARM_FACTS: RobotFacts = {
  commands: 'positions',
  speedMax: [...ALL_NAMES.slice(0, -1).map(() => JOINT_SPEED_MAX), GRIPPER.speedMax],
  restSpeed: [...ALL_NAMES.slice(0, -1).map(() => 0.02), 0.005],
};

function base(): VirtualRobot {
  const topic = CMD_VEL.topic;
  const safety: SafetyOptions = {
    ...{ times: TIMES, topic: BUTTON.topic, key: STOP_KEY, commands: [topic], base: [topic] },
    speedsMax: { linearMax: BASE_FACTS.speedMax[0]!, angularMax: BASE_FACTS.speedMax[1]! },
  };
  const { linearMax, angularMax, linearAccel, angularAccel } = DRIVE_LIMITS;
  const controller: ControllerSpec = controllerSpec({
    ...{ name: 'c', rateHz: 20, policy: 'wild', state: '' },
    output: { topic, kind: 'twist', stamped: false, names: ['linear', 'angular'] },
    inputs: [
      {
        name: 'odom',
        topic: '/odom',
        joints: [],
        field: '',
        ageMaxMs: 500,
        fit: 'stretch',
        crop: [],
      } as never,
    ],
  });
  return {
    facts: BASE_FACTS,
    parts: {
      ...{ topics: [...Object.values(SIM_TOPICS), BUTTON], obeys: [CMD_VEL], command: CMD_VEL },
      ...{ safety, controller },
      makeGate: () =>
        new SpeedGate({ most: [linearMax, angularMax], changeMax: [linearAccel, angularAccel] }),
    },
    policy: { inputs: { odom: [1, 13] }, values: (tMs) => [0.05, 1.2 + 0.2 * Math.sin(tMs / 300)] },
    async open(seed) {
      const simulation = await Simulation.create(1 + (seed % 7), MAZE);
      const measure = () => {
        const { linear, angular } = simulation.truth.twist;
        return { speeds: [linear, angular], collisions: simulation.referee.collisions };
      };
      return { world: simulation, measure, simulation };
    },
  };
}

function arm(): VirtualRobot {
  const urdf = join(import.meta.dirname, '../../../../sim/arm/ar4.urdf');
  const spec = gateSpec(readUrdf(readFileSync(urdf, 'utf8')), {
    ...{ joints: ALL_NAMES, base: 'base_link', tool: 'tool0', mode: 'clamp', rateMax: 1_000 },
    ...{ gapSeconds: 0.5, startTolerance: 0.01, rows: [], boxes: [] },
  });
  const { topic } = ARM_COMMAND;
  const states = ARM_TOPICS.joints.topic;
  const nobody: TopicSpec = { topic: '/cmd_vel', type: CMD_VEL.type, qos: CMD_VEL.qos };
  const safety: SafetyOptions = {
    ...{
      times: TIMES,
      topic: BUTTON.topic,
      key: STOP_KEY,
      commands: [topic, ARM_TRAJECTORY.topic, nobody.topic],
    },
    ...{ base: [nobody.topic], jointStates: states, spec },
    jog: { spec, states, commands: topic, publish: () => {} },
  };
  const controller: ControllerSpec = controllerSpec({
    ...{ name: 'c', rateHz: 100, policy: 'wild', state: states, interpolate: true },
    output: { topic, kind: 'positions', stamped: false, names: ALL_NAMES },
    inputs: [
      {
        name: 'q',
        topic: states,
        joints: ALL_NAMES,
        field: 'position',
        ageMaxMs: 200,
        fit: 'stretch',
        crop: [],
      },
    ],
  });
  return {
    facts: ARM_FACTS,
    parts: {
      ...{
        topics: [...Object.values(ARM_TOPICS), BUTTON],
        obeys: [ARM_COMMAND, ARM_TRAJECTORY],
        command: nobody,
      },
      ...{ safety, controller },
      // As `daemon/compose/controllers-main.ts` makes it.
      makeGate() {
        const joints = makeJointGate(spec);
        return {
          apply: (asked, seconds, measured) =>
            joints.apply(asked, seconds, measured.known ? measured : undefined),
          halt: (seconds) => joints.halt(seconds),
          get atRest() {
            return joints.atRest;
          },
          farOutside: (actions, at, share) => joints.farOutside(actions, at, share),
          reset: () => joints.reset(),
        };
      },
      makeArm: (path, clock) => new SimArm(clock, path),
    },
    policy: {
      inputs: { q: [1, ALL_NAMES.length] },
      values: (tMs) => HOME.map((at, i) => (i < 4 ? at + 0.4 * Math.sin(tMs / 700 + i) : at)),
    },
    async open(seed) {
      const world = await HostedArm.create({ seed: 1 + (seed % 5), cameraHz: 0 });
      const measure = () => ({ speeds: [...world.simulation.physics.velocities()], collisions: 0 });
      return { world, measure };
    },
  };
}

export const VIRTUAL_ROBOTS = { base: base(), arm: arm() } as const;
