import { EdgeError } from '../../../contract/core.ts';
import type { PickleLimits } from './limits.ts';

/** What is left of the limits of one pickle and of everything nested in it. */
export class Budget {
  readonly limits: PickleLimits;
  #opcodes = 0;

  constructor(limits: PickleLimits) {
    this.limits = limits;
  }

  spendOpcode(at: number): void {
    this.#opcodes += 1;
    if (this.#opcodes > this.limits.opcodesMax)
      throw refused(`more than ${this.limits.opcodesMax} opcodes`, at);
  }

  checkDepth(depth: number, at: number): void {
    if (depth > this.limits.depthMax) throw refused(`nested deeper than ${this.limits.depthMax}`, at);
  }
}

/** `at` is the offset in the pickle, or undefined where a value as a whole is meant. */
export function refused(message: string, at?: number): EdgeError {
  const where = at === undefined ? '' : ` at byte ${at}`;
  return new EdgeError('wire.refused', {
    operation: 'read pickle',
    subject: at === undefined ? 'pickle' : `byte ${at}`,
    message: `${message}${where}`,
    hint: 'nothing in it was executed; adapters/lerobot/README.md lists what is accepted',
  });
}
