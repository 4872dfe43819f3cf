import { METHODS, type Sample } from '../../../../contract/index.ts';
import { encodeFloat64MultiArray, FLOAT64_MULTI_ARRAY } from '../../../../formats/cdr/index.ts';
import { HOME } from '../../../../sim/arm/arm-model.ts';
import { ARM_COMMAND, ARM_TRAJECTORY } from '../../../../sim/arm/arm-topics.ts';
import type { Random } from '../../../../sim/random.ts';
import type { Claim } from '../judge.ts';
import { Hand, Program, velocity } from './askers.ts';
import type { Stage } from './run-trial.ts';

const { execution } = METHODS;
const EVERY_MS = 25;
const TRIES_MS = 3_000;
const HAND_MS = 50;
/** How long a key is down, and how often it is pressed, milliseconds. */
const PRESS_MS = 300;
const PRESS_EVERY_MS = 1_400;

/** Everybody who could move this robot asks to, all at once. The answer ends it. */
export function everybodyTries(stage: Stage): () => void {
  const { daemon, trial } = stage;
  const kinds =
    trial.robot === 'arm'
      ? (['trajectory', 'controller'] as const)
      : (['navigate', 'drive', 'controller'] as const);
  const programs = kinds.map((kind) => new Program(daemon, kind, trial.random, true));
  // A key that is held is not obeyed after a stop: this one is pressed again and again.
  const isDown = () => daemon.nowMs % PRESS_EVERY_MS < PRESS_MS;
  const hand = new Hand(daemon, () =>
    trial.robot === 'arm'
      ? { joints: { joint_1: 0.5 } }
      : { twist: isDown() ? { linear: 0.1, angular: 0.4 } : { linear: 0, angular: 0 } },
  );
  const presses = daemon.host.every(HAND_MS, () => {
    // Positions have no zero: a pause is what lets go of them.
    if (trial.robot === 'arm') hand.steers = isDown();
  });
  for (const one of [...programs, hand]) one.start();
  const offers = offering(stage, 'route');
  const plays = offering(stage, 'play');
  return () => {
    for (const one of [...programs, hand]) one.end();
    presses.cancel();
    offers();
    plays();
  };
}

/** A route or a play offers commands of every kind to the door, without the lease. The answer ends it. */
function offering(stage: Stage, kind: 'route' | 'play'): () => void {
  const { daemon, trial } = stage;
  const { random } = trial;
  const timer = daemon.host.every(EVERY_MS, () => {
    const { safety, robot, process } = daemon.execution;
    const path = safety.door.path(robot, { kind, name: 'stranger' });
    const nowMs = process.monotonicMs();
    // None of these is held by anybody.
    const lease = random.float() < 0.5 ? { lease: 1_000 + random.int(4) } : {};
    const sample = strangeSample(random, nowMs);
    path.send(sample, lease);
  });
  return () => timer.cancel();
}

/** A command of some kind that a robot obeys, or might. */
export function strangeSample(random: Random, nowMs: number): Sample {
  return random.pick<() => Sample>([
    () => velocity(0.2, 0.5, nowMs),
    () => velocity(Number.NaN, 1e30, nowMs),
    () => ({ ...velocity(0.2, 0.5, nowMs), topic: '/cmd_vel_out' }),
    () =>
      positions(
        ARM_COMMAND.topic,
        HOME.map((at) => at + 0.4),
      ),
    () =>
      positions(
        '/another/commands',
        HOME.map((at) => at - 0.4),
      ),
    () => ({ ...positions(ARM_TRAJECTORY.topic, [1]), type: ARM_TRAJECTORY.type }),
  ])();
}

function positions(topic: string, values: readonly number[]) {
  const bytes = encodeFloat64MultiArray(Float64Array.from(values));
  return { topic, type: FLOAT64_MULTI_ARRAY, stamp: 0n, received: 0n, bytes };
}

/** With nobody there, beside a person who holds the lease and does nothing, or while the emergency stop is engaged. */
export async function tries(stage: Stage, kind: 'route' | 'play'): Promise<Claim> {
  const { daemon, trial } = stage;
  const where = trial.random.pick(['nobody', 'person', 'estop', 'after a freeze'] as const);
  const person = new Hand(daemon, () => ({}));
  person.steers = false;
  if (where === 'person') person.start();
  if (where === 'estop')
    daemon.api.post('', execution.estopEngage, { source: 'api', by: 'max', reason: '' }).catch(() => {});
  await daemon.run(300);
  const faultAtMs = daemon.nowMs;
  const stop = offering(stage, kind);
  if (where === 'after a freeze') {
    daemon.execution.freeze();
    await daemon.run(300 + 1_500 * trial.random.float());
    daemon.execution.thaw(trial.random.float() < 0.5, trial.random.float() < 0.5);
  }
  await daemon.run(TRIES_MS);
  stop();
  person.end();
  const endMs = daemon.nowMs;
  return { faultAtMs, endMs, quietFromMs: faultAtMs, restByMs: faultAtMs };
}
