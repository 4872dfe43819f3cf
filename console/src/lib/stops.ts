/** Gives a stop until it is answered: the API may restart while the person presses. */
import { callFirst, Refusal } from './api.ts';

const AGAIN_MS = 250;
/** One attempt; the robot confirms a stop far sooner. */
const ATTEMPT_MS = 6_000;

type StopAnswer = {
  readonly ok: boolean;
  /** What was answered; undefined: no JSON. */
  readonly body: unknown;
};
type StopOrder = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long it is repeated, milliseconds; 0: given once. */
  readonly repeatMs: number;
  /** Called before each further attempt; false: no longer wanted. */
  readonly again?: () => boolean;
};

/** Throws an Error with the reason for a person where the stop was not answered, or the token is not valid. */
export async function giveStop(path: string, order: StopOrder): Promise<StopAnswer> {
  const { repeatMs, again, headers, body } = order;
  const options = { ...(headers && { headers }), ...(body !== undefined && { body }), answerMs: ATTEMPT_MS };
  const untilMs = performance.now() + repeatMs;
  for (;;) {
    const response = await callFirst(path, options).catch((error: unknown) => {
      if (error instanceof Refusal) throw error;
    });
    // A cell that restarts answers 503: the next attempt may reach it.
    const restarting = response === undefined || response.status >= 502;
    if (response && (!restarting || performance.now() >= untilMs))
      return { ok: response.ok, body: await response.json().catch(() => undefined) };
    if (performance.now() >= untilMs) throw new Error('the daemon does not answer');
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (again?.() === false) throw new Error('the daemon does not answer');
  }
}
