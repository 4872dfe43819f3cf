import { EdgeError, type EStopState } from '../../../contract/core.ts';
import type { SafetyWord } from './safety-word.ts';

export const RELEASED: EStopState = { engaged: false, since_ns: '', source: '', by: '', reason: '' };

/**
 * Whether everything is to stand still, and since when, by whom and why: the state that every caller reads before a
 * command, and the shared word for control threads. It only knows; `EmergencyStopper` engages and releases.
 */
export class StopLatch {
  readonly #word: SafetyWord;
  #state: EStopState;

  constructor(word: SafetyWord, state: EStopState = RELEASED) {
    this.#word = word;
    this.#state = state;
    word.stop(state.engaged);
  }

  get state(): EStopState {
    return this.#state;
  }

  get engaged(): boolean {
    return this.#state.engaged;
  }

  set(state: EStopState): void {
    this.#state = state;
    this.#word.stop(state.engaged);
  }

  /** Throws `estop.engaged` while it is. `subject`: what somebody wanted to do. */
  check(operation: string, subject: string): void {
    if (this.#state.engaged) throw this.refusal(operation, subject);
  }

  refusal(operation: string, subject: string): EdgeError {
    const { by, source, reason } = this.#state;
    return new EdgeError('estop.engaged', {
      operation,
      subject,
      message:
        `the emergency stop is engaged by ${by} (${source})${reason === '' ? '' : `: ${reason}`}`.slice(
          0,
          1_024,
        ),
      hint: 'a person releases it: auraison estop release, or POST /v1/estop/release; docs/safety.md',
    });
  }
}
