import type { Answered, Effect, MotionTurn } from './tool-gate-parts.ts';

/** Outcomes of motions after which a run continues as planned. */
const GOOD: ReadonlySet<unknown> = new Set([undefined, 'reached', 'succeeded']);

/** Makes a call of a part of a flow; where it moves the robot, when it is the turn of that part. No stop comes here. */
export async function inTurn(
  turn: MotionTurn,
  { effect }: Pick<Effect, 'effect'>,
  signal: AbortSignal,
  call: () => Promise<Answered>,
): Promise<Answered> {
  if (!signal.aborted) turn.proceeds();
  if (effect !== 'actuate') return await call();
  // Before it is judged: the answer of the policies is not older than the turn.
  const passOn = await turn.take(signal);
  let isGood = false;
  try {
    const answered = await call();
    isGood = !signal.aborted && GOOD.has(answered.result['outcome']);
    return answered;
  } finally {
    passOn(isGood);
  }
}
