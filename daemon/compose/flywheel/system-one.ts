import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Pilot } from '../../../apps/ar4-physical-ai/flywheel/pilot.ts';
import { CHUNK, FEATURES, HZ, STATE_NAMES } from '../../../apps/ar4-physical-ai/observation.ts';
import { EdgeError } from '../../../contract/core.ts';
import { readUrdf } from '../../../formats/urdf/index.ts';
import { ARM_WINDOW_NS } from '../../../sim/arm/arm-model.ts';
import { ARM_COMMAND, ARM_TOPICS } from '../../../sim/arm/arm-topics.ts';
import { readControllers } from '../../config/controllers.ts';
import { GATE_KEYS } from '../../config/gate.ts';
import { ControllerCore, type Question, type Step } from '../../execution/controllers/controller-core.ts';
import type { ControllerSpec } from '../../execution/controllers/controller-spec.ts';
import type { Measured, StepGate } from '../../execution/controllers/gate-port.ts';
import { gateSpec, type JointGateSpec, makeJointGate } from '../../execution/safety/index.ts';
import { specOf } from '../controllers.ts';
import type { SimWorld } from './sim-world.ts';

const URDF = join(import.meta.dirname, '..', '..', '..', 'sim', 'arm', 'ar4.urdf');
/** One window of the physics is one control step: 100 Hz. */
const PERIOD_MS = Number(ARM_WINDOW_NS) / 1e6;
const STEP_MS = 1000 / HZ;
const STEPS = Math.round(STEP_MS / PERIOD_MS);
/** Every policy of the flywheel is asked alone: whose chunk it is need not be told apart. */
const HASH = 'measured';

export type SystemOneOptions = {
  /** Simulated time from a question to its answer, milliseconds; `Infinity`: it never comes. Default: one policy step. */
  readonly delayMs?: (askedMs: number) => number;
  /** Told of every control step: the same object each time; `ms` since the episode began. */
  readonly onStep?: (step: Step, ms: number) => void;
};

/**
 * System 1 as the daemon runs it (its core, and the gate with the limits of the URDF, both with the defaults of the
 * configuration) between a policy and the simulated arm, in virtual time: equal policies and starts give equal bits.
 * An inference sees the table as it is when it is asked, is told what will be executed meanwhile, and its answer comes
 * `delayMs` later.
 */
export class SystemOnePilot implements Pilot {
  readonly #world: SimWorld;
  readonly #options: Required<SystemOneOptions>;
  readonly #spec = armController();
  readonly #gate = armGate();
  readonly #measured: Measured;
  #core: ControllerCore | undefined;
  #answer: Answer | undefined;
  #nowMs = 0;
  #open: { readonly id: number; readonly dueMs: number; readonly actions: Float32Array | undefined }[] = [];

  constructor(world: SimWorld, options: SystemOneOptions = {}) {
    this.#world = world;
    this.#options = { delayMs: () => STEP_MS, onStep: () => {}, ...options };
    const { length } = STATE_NAMES;
    this.#measured = {
      positions: new Float64Array(length),
      efforts: new Float64Array(length),
      known: true,
    };
  }

  /** A new core: it remembers delays from run to run, and no start may depend on those before it. */
  begin(answer: Answer): void {
    this.#answer = answer;
    this.#nowMs = 0;
    this.#open = [];
    // In lockstep no input is ever old.
    this.#core = new ControllerCore(this.#spec, stepGate(this.#gate), () => -1);
    this.#core.begin();
  }

  async step(): Promise<void> {
    for (let i = 0; i < STEPS; i++) await this.#period();
  }

  /** One control step, and the physics until the next. */
  async #period(): Promise<void> {
    const core = this.#core;
    if (!core) return;
    const { simulation } = this.#world;
    this.#hear(core);
    this.#measured.positions.set(simulation.positions);
    this.#measured.efforts.set(simulation.physics.efforts());
    const step = core.step(this.#nowMs, this.#measured);
    if (step.send) simulation.command(step.applied);
    if (step.done) this.#options.onStep(step, this.#nowMs);
    const question = core.question(this.#nowMs);
    if (question) await this.#ask(question);
    simulation.window();
    this.#nowMs += PERIOD_MS;
  }

  async #ask({ id, prefix }: Question): Promise<void> {
    const delayMs = this.#options.delayMs(this.#nowMs);
    const { inferTimeoutMs } = this.#spec;
    const comes = delayMs <= inferTimeoutMs;
    const actions = comes ? await this.#answer!(this.#world.view(), prefix) : undefined;
    this.#open.push({ id, dueMs: this.#nowMs + (comes ? delayMs : inferTimeoutMs), actions });
  }

  #hear(core: ControllerCore): void {
    const due = this.#open.filter(({ dueMs }) => dueMs <= this.#nowMs);
    if (due.length === 0) return;
    this.#open = this.#open.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { id, actions } of due) {
      if (!actions) core.failed(id, this.#nowMs);
      else
        core.answer(
          { id, stepMs: STEP_MS, actions, horizon: CHUNK, dimension: STATE_NAMES.length, policyHash: HASH },
          this.#nowMs,
        );
    }
  }
}

/**
 * The controller of docs/examples/ar4.toml, at the rate of the physics. An action was shown as a goal that is held for
 * its 50 ms, and is held here: on the line to the next one it would come half a step early, and be another action.
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
