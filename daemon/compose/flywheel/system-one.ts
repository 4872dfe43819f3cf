import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArmView } from '../../../apps/ar4-physical-ai/observation.ts';
import { CHUNK, FEATURES, HZ, STATE_NAMES } from '../../../apps/ar4-physical-ai/observation.ts';
import { EdgeError } from '../../../contract/core.ts';
import { readUrdf } from '../../../formats/urdf/index.ts';
import { ARM_WINDOW_NS } from '../../../sim/arm/arm-model.ts';
import { ARM_COMMAND, ARM_TOPICS } from '../../../sim/arm/arm-topics.ts';
import { readControllers } from '../../config/controllers.ts';
import { GATE_KEYS } from '../../config/gate.ts';
import { ControllerCore } from '../../execution/controllers/controller-core.ts';
import type { ControllerSpec } from '../../execution/controllers/controller-spec.ts';
import type { StepGate } from '../../execution/controllers/gate-port.ts';
import {
  type PilotedArm,
  type SystemOneOptions,
  SystemOnePilot,
} from '../../execution/controllers/system-one-pilot.ts';
import { gateSpec, type JointGateSpec, makeJointGate } from '../../execution/safety/index.ts';
import { specOf } from '../controllers.ts';

const URDF = join(import.meta.dirname, '..', '..', '..', 'sim', 'arm', 'ar4.urdf');
/** One window of the physics is one control step: 100 Hz. */
const PERIOD_MS = Number(ARM_WINDOW_NS) / 1e6;

/** System 1 with the defaults of the configuration and the limits of the URDF, before the simulated arm. */
export function systemOnePilot(
  arm: PilotedArm<ArmView>,
  options: SystemOneOptions = {},
): SystemOnePilot<ArmView> {
  const spec = armController();
  const gate = armGate();
  const parts = {
    arm,
    // In lockstep no input is ever old.
    makeCore: () => new ControllerCore(spec, stepGate(gate), () => -1),
    dimension: STATE_NAMES.length,
    horizon: CHUNK,
    stepMs: 1000 / HZ,
    periodMs: PERIOD_MS,
    inferTimeoutMs: spec.inferTimeoutMs,
  };
  return new SystemOnePilot(parts, options);
}

/**
 * The controller of docs/examples/ar4.toml, at the rate of the physics. An action was learned as a goal that is held
 * for its 50 ms, and is held here too: interpolated to the next one it would come half a step early.
 */
function armController(): ControllerSpec {
  const joints = [...STATE_NAMES];
  const row = {
    name: 'flywheel',
    rate: `${1000 / PERIOD_MS} Hz`,
    output: ARM_COMMAND.topic,
    joints,
    aggregation: 'latest_only',
    interpolate: false,
    inputs: [
      { name: FEATURES.state, topic: ARM_TOPICS.joints.topic, joints },
      { name: FEATURES.environment, topic: ARM_TOPICS.environment.topic },
    ],
  };
  const [read] = readControllers([row], (_row, key, value, expected) => {
    throw new EdgeError('config.invalid', {
      operation: 'make System 1',
      subject: key,
      message: `${key} is ${JSON.stringify(value)}, not ${expected}`,
    });
  });
  return specOf(read!);
}

function armGate(): JointGateSpec {
  const { base, tool, mode, rate, gap } = GATE_KEYS;
  return gateSpec(readUrdf(readFileSync(URDF, 'utf8')), {
    joints: STATE_NAMES,
    ...{ base: base.fallback, tool: tool.fallback, mode: mode.fallback },
    ...{ rateMax: rate.fallback, gapSeconds: gap.fallback / 1000, rows: [], boxes: [] },
  });
}

function stepGate(spec: JointGateSpec): StepGate {
  const joints = makeJointGate(spec);
  return {
    apply: (asked, dtSeconds, measured) => joints.apply(asked, dtSeconds, measured),
    reset: () => joints.reset(),
  };
}
