import { EdgeError } from '../../../contract/index.ts';

/** A branch, and the run whose branches take turns with it. */
export type TurnLevel = { readonly group: string; readonly branch: string };

type Group = { branch: string; holds: number; readonly waiting: { readonly branch: string; go(): void }[] };

/**
 * Branches of a flow move the robot one after the other, in the order in which they ask. What is below a branch
 * has the turn of its branch, so a part never waits for itself.
 */
export class MotionTurns {
  readonly #groups = new Map<string, Group>();

  /**
   * Settles when it is the turn of these branches, the outermost first; returns how to pass the turn on. Rejects with
   * `run.cancelled` where the signal aborts before.
   */
  async take(levels: readonly TurnLevel[], signal: AbortSignal): Promise<() => void> {
    const taken: (() => void)[] = [];
    const passOn = () => {
      for (const release of taken.splice(0).reverse()) release();
    };
    try {
      for (const level of levels) taken.push(await this.#takeOne(level, signal));
    } catch (thrown) {
      passOn();
      throw thrown;
    }
    return passOn;
  }

  /** One more hold on the turn that this branch has; returns how to give it back. */
  hold({ group: name }: TurnLevel): () => void {
    this.#groups.get(name)!.holds++;
    return () => this.#release(name);
  }

  async #takeOne({ group: name, branch }: TurnLevel, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw cancelled(branch);
    const group = this.#groups.get(name);
    if (!group) this.#groups.set(name, { branch, holds: 1, waiting: [] });
    else if (group.branch === branch) group.holds++;
    else await this.#wait(group, branch, signal);
    return () => this.#release(name);
  }

  #wait(group: Group, branch: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        group.waiting.splice(group.waiting.indexOf(waiter), 1);
        reject(cancelled(branch));
      };
      const waiter = {
        branch,
        go: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      group.waiting.push(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #release(name: string): void {
    const group = this.#groups.get(name);
    if (!group || --group.holds > 0) return;
    const next = group.waiting.shift();
    if (!next) {
      this.#groups.delete(name);
      return;
    }
    group.branch = next.branch;
    group.holds = 1;
    next.go();
    // Others of the same branch have the turn with it.
    const same = group.waiting.filter(({ branch }) => branch === next.branch);
    for (const waiter of same) {
      group.waiting.splice(group.waiting.indexOf(waiter), 1);
      group.holds++;
      waiter.go();
    }
  }
}

function cancelled(branch: string): EdgeError {
  return new EdgeError('run.cancelled', {
    operation: 'wait for the robot',
    subject: branch,
    message: 'the call ended while another branch moved the robot',
  });
}
