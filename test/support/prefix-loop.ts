import type { Policy, Tensor } from '../../contract/index.ts';
import { ControllerCore } from '../../daemon/execution/controllers/controller-core.ts';
import type { Measured, StepGate } from '../../daemon/execution/controllers/gate-port.ts';
import { seeded } from '../../scripts/policy/random.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';

const PERIOD_MS = 10;
/** The share of the way to what it was told that a joint goes in one period. */
const LAG = 0.1;

export type LoopOptions = {
  readonly policy: Policy;
  /** Simulated time from a question to its answer, milliseconds. */
  readonly delayMs: (question: number) => number;
  readonly seconds: number;
  readonly start: readonly [number, number];
  /** Measured joints are off by this deviation. */
  readonly noise: number;
  readonly tensors?: Readonly<Record<string, Tensor>>;
  readonly seed?: number;
};

export type LoopResult = {
  /** One applied action for each slot of the policy, from the first on. */
  readonly applied: readonly { readonly ms: number; readonly chunk: number; readonly values: number[] }[];
  /** What the policy was given, and for which slots. */
  readonly prefixes: readonly { readonly anchorMs: number; readonly prefix: Float32Array }[];
  /** At each change of chunk: by how much the motion of joint 0 departs from going on as it went. */
  readonly leaps: readonly number[];
};

const open: StepGate = {
  reset() {},
  apply: (asked) => ({ applied: Float64Array.from(asked), verdict: 'passed', reason: '' }),
};

/** System 1 between a policy and two joints that follow with a lag, in virtual time: the prefix goes the daemon's way. */
export async function runLoop(options: LoopOptions): Promise<LoopResult> {
  const { policy, delayMs, seconds, start, noise, tensors = {} } = options;
  const { output, stepMs, takesPrefix, hash } = policy.describe();
  const [horizon, dimension] = output;
  const random = seeded(options.seed ?? 1);
  const core = new ControllerCore(controllerSpec({ horizon: 0, interpolate: false }), open, () => -1);
  const joints = Float64Array.from(start);
  const measured: Measured = { positions: joints, efforts: new Float64Array(2), known: true };
  const applied: { ms: number; chunk: number; values: number[] }[] = [];
  const prefixes: { anchorMs: number; prefix: Float32Array }[] = [];
  const coming: { at: number; id: number; actions: Float32Array }[] = [];
  let asked = 0;
  core.begin();
  for (let now = 0; now < seconds * 1_000; now += PERIOD_MS) {
    for (const { id, actions } of coming.filter(({ at }) => at <= now).splice(0))
      core.answer({ id, stepMs, actions, horizon, dimension, policyHash: hash }, now);
    coming.splice(0, coming.length, ...coming.filter(({ at }) => at > now));
    const step = core.step(now, measured);
    if (step.send) {
      for (let j = 0; j < 2; j++) joints[j] = joints[j]! + LAG * (step.applied[j]! - joints[j]!);
      applied.push({ ms: now, chunk: step.chunk, values: [...step.applied] });
    }
    const question = core.question(now);
    if (!question) continue;
    const { id, anchorMs, prefix } = question;
    const rows = prefix.length / dimension;
    const given = takesPrefix === true && rows > 0;
    const state = Float32Array.from(joints, (value) => value + noise * random.normal());
    const chunk = await policy.infer(
      { tensors: { ...tensors, 'observation.state': { shape: [1, 2], data: state } }, stamp: BigInt(now) },
      10_000,
      given ? { prefix: { shape: [rows, dimension], data: prefix } } : {},
    );
    if (given) prefixes.push({ anchorMs, prefix });
    coming.push({ at: now + delayMs(asked++), id, actions: chunk.actions.data });
  }
  const slots = applied.filter(({ ms }) => (ms - applied[0]!.ms) % stepMs === 0);
  return { applied: slots, prefixes, leaps: leapsOf(slots) };
}

function leapsOf(slots: LoopResult['applied']): number[] {
  return slots.flatMap(({ chunk, values: [here] }, i) => {
    const [before, earlier] = [slots[i - 1], slots[i - 2]];
    if (!before || !earlier || chunk === before.chunk) return [];
    return [Math.abs(here! - 2 * before.values[0]! + earlier.values[0]!)];
  });
}

export type PrefixTold = { readonly rows: number; readonly told: number };

/** Compares what was given as fixed with what was applied then, bit by bit; throws where one differs. */
export function checkTold({ applied, prefixes }: LoopResult): PrefixTold {
  const byTime = new Map(applied.map(({ ms, values }) => [ms, values]));
  const last = applied.at(-1)!.ms;
  const stepMs = applied[1]!.ms - applied[0]!.ms;
  let rows = 0;
  for (const { anchorMs, prefix } of prefixes)
    for (let row = 0; row < prefix.length / 2; row++) {
      const ms = anchorMs + row * stepMs;
      if (ms > last) continue;
      const [a, b] = byTime.get(ms) ?? [];
      if (a !== prefix[2 * row] || b !== prefix[2 * row + 1])
        throw new Error(
          `at ${ms} ms ${prefix.subarray(2 * row, 2 * row + 2)} was told and ${a},${b} applied`,
        );
      rows++;
    }
  return { rows, told: prefixes.length };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
