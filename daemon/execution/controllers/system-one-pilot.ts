import type { ControllerCore, Question, Step } from './controller-core.ts';
import type { Measured } from './gate-port.ts';

/** Every policy is asked alone: so it is always clear whose chunk it is. */
const HASH = 'measured';

/** A simulated arm in this process. */
export type PilotedArm<View> = {
  /** What a policy sees. */
  view(): View;
  readonly simulation: {
    readonly positions: ArrayLike<number>;
    readonly physics: { efforts(): ArrayLike<number> };
    command(action: ArrayLike<number>): void;
    /** Physics until the next control step. */
    window(): void;
  };
};

/** The coming actions, row-major; `prefix`: those that will be carried out in any case. */
export type PilotAnswer<View> = (view: View, prefix?: Float32Array) => Promise<Float32Array>;

export type PilotParts<View> = {
  readonly arm: PilotedArm<View>;
  /** A new core at the start of each episode: it remembers delays from run to run. */
  makeCore(): ControllerCore;
  /** Of one action; joints of the arm. */
  readonly dimension: number;
  /** Actions of one chunk. */
  readonly horizon: number;
  /** Of one action of the policy, and of one control step, milliseconds. */
  readonly stepMs: number;
  readonly periodMs: number;
  /** No answer comes after this time, milliseconds. */
  readonly inferTimeoutMs: number;
};

export type SystemOneOptions = {
  /**
   * Simulated time from a question to its answer, milliseconds; `Infinity`: it never comes. Default: one policy step.
   */
  readonly delayMs?: (askedMs: number) => number;
  /** Called for every control step, with the same object each time; `ms` since the episode started. */
  readonly onStep?: (step: Step, ms: number) => void;
};

/**
 * System 1 as the daemon runs it (its core, and the gate with the limits of the URDF, both with the defaults of the
 * configuration) between a policy and the simulated arm, in virtual time: equal policies and starts give equal bits. An
 * inference sees the table as it is when it is asked, gets the actions that will be executed meanwhile, and its answer
 * comes `delayMs` later.
 */
export class SystemOnePilot<View> {
  readonly #parts: PilotParts<View>;
  readonly #options: Required<SystemOneOptions>;
  readonly #measured: Measured;
  #core: ControllerCore | undefined;
  #answer: PilotAnswer<View> | undefined;
  #nowMs = 0;
  #open: { readonly id: number; readonly dueMs: number; readonly actions: Float32Array | undefined }[] = [];

  constructor(parts: PilotParts<View>, options: SystemOneOptions = {}) {
    this.#parts = parts;
    this.#options = { delayMs: () => parts.stepMs, onStep: () => {}, ...options };
    const { dimension } = parts;
    this.#measured = {
      positions: new Float64Array(dimension),
      efforts: new Float64Array(dimension),
      known: true,
    };
  }

  /** A new core: it remembers delays from run to run, and no start may depend on those before it. */
  begin(answer: PilotAnswer<View>): void {
    this.#answer = answer;
    this.#nowMs = 0;
    this.#open = [];
    this.#core = this.#parts.makeCore();
    this.#core.begin();
  }

  async step(): Promise<void> {
    const { stepMs, periodMs } = this.#parts;
    const steps = Math.round(stepMs / periodMs);
    for (let i = 0; i < steps; i++) await this.#period();
  }

  /** One control step, and the physics until the next. */
  async #period(): Promise<void> {
    const core = this.#core;
    if (!core) return;
    const { simulation } = this.#parts.arm;
    this.#hear(core);
    this.#measured.positions.set(simulation.positions);
    this.#measured.efforts.set(simulation.physics.efforts());
    const step = core.step(this.#nowMs, this.#measured);
    if (step.send) simulation.command(step.applied);
    if (step.done) this.#options.onStep(step, this.#nowMs);
    const question = core.question(this.#nowMs);
    if (question) await this.#ask(question);
    simulation.window();
    this.#nowMs += this.#parts.periodMs;
  }

  async #ask({ id, prefix }: Question): Promise<void> {
    const delayMs = this.#options.delayMs(this.#nowMs);
    const { inferTimeoutMs, arm } = this.#parts;
    const comes = delayMs <= inferTimeoutMs;
    const actions = comes ? await this.#answer!(arm.view(), prefix) : undefined;
    this.#open.push({ id, dueMs: this.#nowMs + (comes ? delayMs : inferTimeoutMs), actions });
  }

  #hear(core: ControllerCore): void {
    const due = this.#open.filter(({ dueMs }) => dueMs <= this.#nowMs);
    if (due.length === 0) return;
    this.#open = this.#open.filter(({ dueMs }) => dueMs > this.#nowMs);
    const { stepMs, horizon, dimension } = this.#parts;
    for (const { id, actions } of due) {
      if (!actions) core.failed(id, this.#nowMs);
      else core.answer({ id, stepMs, actions, horizon, dimension, policyHash: HASH }, this.#nowMs);
    }
  }
}
