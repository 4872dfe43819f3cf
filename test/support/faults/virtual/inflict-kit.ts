import { METHODS, type OpenCallName } from '../../../../contract/index.ts';
import type { Claim } from '../judge.ts';
import type { Stage } from './run-trial.ts';

const { execution } = METHODS;
/** What is watched after the bound, milliseconds. */
export const TAIL_MS = 1_500;
/** Robots whose bound says nothing are watched for so long, milliseconds. */
const LIMITS_MS = 6_000;
export type Inflict = (stage: Stage) => Promise<Claim>;

/** The claim by the declared bound, counted from `fromMs`; time goes on until it can be judged. */
export async function bounded({ trial, daemon }: Stage, fromMs: number, untilMs = fromMs): Promise<Claim> {
  const { commandsMs, restMs } = trial.bound;
  const endMs = Math.max(untilMs, fromMs + (restMs ?? LIMITS_MS) + TAIL_MS);
  await daemon.run(endMs - daemon.nowMs);
  return {
    ...{ faultAtMs: fromMs, endMs },
    ...(commandsMs === undefined ? {} : { quietFromMs: fromMs + commandsMs }),
    ...(restMs === undefined ? {} : { restByMs: fromMs + restMs }),
  };
}

/** Nobody asks any more: what moves from here on moves by what was asked before. */
export function letGo({ asker }: Stage): void {
  asker?.end();
}

export function order({ daemon }: Stage, call: string, body: unknown): void {
  daemon.api.post('', call as OpenCallName, body).catch(() => {});
}

/** A freeze of some processes, and what happens in the midst of it. */
export async function frozen(
  stage: Stage,
  freeze: () => void,
  thaw: () => void,
  meanwhile: () => void = () => {},
): Promise<void> {
  const { daemon, trial } = stage;
  const at = trial.lastsMs * (0.1 + 0.8 * trial.random.float());
  freeze();
  await daemon.run(at);
  meanwhile();
  await daemon.run(trial.lastsMs - at);
  thaw();
}

export const draw = (stage: Stage) => stage.trial.random.float() < 0.5;

/** Stops by whatever way a person would choose. */
export function stopSomehow(stage: Stage): void {
  const { trial } = stage;
  if (trial.random.float() < 0.5) order(stage, execution.estopEngage, { source: 'api', by: 'max' });
  else if (trial.robot === 'arm') order(stage, execution.armStop, { reason: 'stop' });
  else order(stage, execution.robotStop, { reason: 'stop', role: 'teleoperation' });
}
