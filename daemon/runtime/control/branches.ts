import { EdgeError, type FlowParallel, isFinished, LIMITS } from '../../../contract/index.ts';
import { isEnd } from '../flow/flow-check.ts';
import { leftOf } from '../runs/run-budget.ts';
import type { RunBudget, RunView } from '../runs/run-view.ts';
import { type BranchParts, openPart, partOf } from './open-part.ts';
import { type ChildEnd, endOf } from './sub-runs.ts';

export type BranchesEnd = {
  readonly branches: Readonly<Record<string, ChildEnd>>;
  /** With `until = any`: the branch that succeeded first. */
  readonly first?: string;
};

/**
 * Branches of a flow, each a run of its own beside the others. They have the intent, the principal and the version of
 * the flow, share what it has left of its budget, and never outlive it. The same call finds the same branches.
 */
export class Branches {
  readonly #parts: BranchParts;

  constructor(parts: BranchParts) {
    this.#parts = parts;
  }

  /**
   * Starts every branch of the state that the run is in, and waits as the state says; the others are cancelled then,
   * and have ended when this settles. Rejects with `run.not_supported` where the run is not in such a state.
   */
  async run(
    runId: string,
    callId: string,
    timeS: number | undefined,
    signal: AbortSignal,
  ): Promise<BranchesEnd> {
    const parent = this.#parent(runId);
    const { branches, until } = this.#state(parent);
    const names = Object.keys(branches);
    const ids = new Map<string, string>();
    // Those that there are already count against the width no second time.
    const missing = names.filter((name) => !this.#known(runId, callId, name));
    this.#refuseBeyond(parent, missing.length);
    const share = this.#share(parent, missing.length);
    for (const name of names) {
      const view =
        this.#known(runId, callId, name) ??
        (await this.#open(parent, { name, start: branches[name]!, key: keyOf(callId, name) }, share, timeS));
      ids.set(name, view.state.run_id);
    }
    const all = [...ids.values()];
    await this.#until(all, until, signal);
    if (isShutdown(signal)) throw signal.reason;
    await this.#endOthers(all, until);
    const ends = Object.fromEntries([...ids].map(([name, id]) => [name, endOf(this.#view(id))]));
    const first = this.#firstOf(ids);
    return { branches: ends, ...(until === 'any' && first !== undefined ? { first } : {}) };
  }

  /** Settles when nothing is left to wait for, or the signal aborts. */
  #until(ids: readonly string[], until: FlowParallel['until'], signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    const isOver = () => {
      const states = ids.map((id) => this.#view(id).state.status);
      if (states.every(isFinished)) return true;
      return until === 'all'
        ? states.some((status) => isFinished(status) && status !== 'succeeded')
        : states.includes('succeeded');
    };
    if (isOver() || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        if (!isOver() && !signal.aborted) return;
        for (const forget of forgets) forget();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forgets = ids
        .filter((id) => !isFinished(this.#view(id).state.status))
        .map((id) => store.whenFinished(id, done));
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async #endOthers(ids: readonly string[], until: FlowParallel['until']): Promise<void> {
    const open = ids.filter((id) => !isFinished(this.#view(id).state.status));
    const reason =
      until === 'any' ? 'another branch was first' : 'another branch did not succeed, or the step is over';
    await Promise.all(open.map((id) => this.#parts.cancel(id, reason)));
  }

  #firstOf(ids: ReadonlyMap<string, string>): string | undefined {
    const won = [...ids]
      .map(([name, id]) => ({ name, view: this.#view(id) }))
      .filter(({ view }) => view.state.status === 'succeeded')
      .sort((a, b) => Number(BigInt(a.view.finishedTs ?? 0) - BigInt(b.view.finishedTs ?? 0)));
    return won[0]?.name;
  }

  #open(
    parent: RunView,
    { name, start, key }: { readonly name: string; readonly start: string; readonly key: string },
    budget: RunBudget,
    timeS: number | undefined,
  ): Promise<RunView> {
    const branch = { of: parent.phase!, name, start, facts: { ...parent.facts } };
    return openPart(this.#parts, parent, { key, harness: 'flow', budget, timeS, more: { branch } });
  }

  #known(runId: string, callId: string, name: string): RunView | undefined {
    return partOf(this.#parts, runId, keyOf(callId, name));
  }

  #parent(runId: string): RunView {
    const view = this.#parts.store.get(runId);
    if (view && this.#parts.goesOn(runId)) return view;
    throw new EdgeError('run.cancelled', { operation: 'branch', subject: runId, message: 'the run is over' });
  }

  #view(runId: string): RunView {
    const view = this.#parts.store.get(runId);
    if (view) return view;
    throw new EdgeError('run.not_found', { operation: 'branch', subject: runId });
  }

  #state(parent: RunView): FlowParallel {
    const app = this.#parts.appOf(parent);
    const states = app?.harness === 'flow' ? app.flow?.states : undefined;
    const state = states && parent.phase !== undefined ? states[parent.phase] : undefined;
    if (state && !isEnd(state) && state.parallel) return state.parallel;
    throw new EdgeError('run.not_supported', {
      operation: 'branch',
      subject: parent.state.run_id,
      message: 'only a step of a flow with parallel parts starts branches',
      hint: 'run.spawn asks for other runs',
    });
  }

  #refuseBeyond(parent: RunView, more: number): void {
    const { store } = this.#parts;
    const subject = parent.state.run_id;
    const children = store.children(subject);
    const open = children.filter(({ state }) => !isFinished(state.status)).length;
    const refuse = (message: string, hint: string) => {
      throw new EdgeError('run.limit', { operation: 'branch', subject, message, hint, retryable: false });
    };
    if (more === 0) return;
    if (store.ancestors(parent).length >= LIMITS.RUN_DEPTH_MAX)
      refuse(
        `runs are nested at most ${LIMITS.RUN_DEPTH_MAX} deep`,
        'take the parallel part out of the sub-flow',
      );
    if (open + more > LIMITS.RUN_CHILDREN_MAX)
      refuse(
        `${open + more} runs would be open below it, at most ${LIMITS.RUN_CHILDREN_MAX} may`,
        'use fewer branches',
      );
    const before = children.filter(({ branch }) => branch).length;
    if (before + more > LIMITS.RUN_BRANCHES_EVER_MAX)
      refuse(`it has started ${before} branches`, 'repeat the parallel step less often');
  }

  /** What is left, in equal parts. */
  #share(parent: RunView, parts: number): RunBudget {
    if (parts === 0) return {};
    const left = leftOf(parent, (view) => this.#parts.store.children(view.state.run_id));
    const each = (whole: number | undefined) => (whole === undefined ? undefined : Math.floor(whole / parts));
    const { turns, tokens } = { turns: each(left.turns), tokens: each(left.tokens) };
    return {
      ...(turns === undefined ? {} : { turns }),
      ...(tokens === undefined ? {} : { tokens }),
    };
  }
}

function keyOf(callId: string, name: string): string {
  return `call:${callId}:${name}`;
}

/** When the daemon stops, branches stay unfinished as their flow does. */
function isShutdown({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof EdgeError && reason.operation === 'shutdown';
}
