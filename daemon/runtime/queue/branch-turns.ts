import { isFinished } from '../../../contract/index.ts';
import type { ActiveRun } from '../attempt/active-run.ts';
import { isEnd } from '../flow/flow-check.ts';
import type { MotionTurn } from '../gate/tool-gate-parts.ts';
import { MotionTurns, type TurnLevel } from '../robot/motion-turns.ts';
import type { RunView } from '../runs/run-view.ts';
import type { SchedulerParts } from './scheduler-parts.ts';

type Parts = Pick<SchedulerParts, 'store' | 'loaded'>;
type Active = (runId: string) => Pick<ActiveRun, 'halt' | 'pauses'> | undefined;
/** Settles when it is time to look again; may reject where the signal aborts. */
type Wait = (signal: AbortSignal) => Promise<void>;

/** A turn that is not passed on yet: a motion did not end well, and what its run does next is not known. */
type Kept = {
  readonly level: TurnLevel;
  readonly release: () => void;
  /** Its next call, or its end, decides: the id of a run. */
  owner: string;
  /** The run that moved is over, and the one that asked for it decides: calls of other runs below that count too. */
  inherited: boolean;
  forget: () => void;
};

/**
 * How what runs in the branches of flows takes turns with the robot. A branch whose motion did not end well keeps its
 * turn until it makes its next call or its end is durable; branches that are to end with it get no other turn.
 */
export class BranchTurns {
  readonly #parts: Parts;
  readonly #active: Active;
  readonly #turns = new MotionTurns();
  readonly #kept = new Set<Kept>();

  /** `active`: the active runs, by id. */
  constructor(parts: Parts, active: Active) {
    this.#parts = parts;
    this.#active = active;
  }

  /** Undefined where nothing runs beside this run. */
  of(view: RunView): MotionTurn | undefined {
    const { store } = this.#parts;
    const line = [view, ...store.ancestors(view).flatMap((id) => store.get(id) ?? [])];
    const ids = line.map(({ state }) => state.run_id);
    // The outermost first, so that two runs never hold what the other waits for.
    const levels = line
      .flatMap(({ branch, state: { run_id, parent_run_id } }) =>
        branch && parent_run_id !== undefined ? { group: parent_run_id, branch: run_id } : [],
      )
      .toReversed();
    if (levels.length === 0) return undefined;
    const halts = () => ids.some((id) => this.#active(id)?.halt !== undefined);
    return {
      take: async (signal) => {
        const passOn = await this.#take(ids, levels, signal);
        this.#release(ids);
        return (endedWell) => {
          if (!endedWell || halts()) for (const level of levels) this.#keep(level, ids[0]!);
          passOn();
        };
      },
      proceeds: () => {
        if (!halts()) this.#release(ids);
      },
    };
  }

  async #take(
    line: readonly string[],
    levels: readonly TurnLevel[],
    signal: AbortSignal,
  ): Promise<() => void> {
    for (;;) {
      const passOn = await this.#turns.take(levels, signal);
      const wait = this.#hindrance(line, levels);
      if (!wait) return passOn;
      passOn();
      // The turns reject a signal that is aborted.
      await wait(signal).catch(() => {});
    }
  }

  /** Why no motion may start now although it is the turn of this run. */
  #hindrance([, ...above]: readonly string[], levels: readonly TurnLevel[]): Wait | undefined {
    for (const id of above) {
      const run = this.#active(id);
      // What a run asked for ends with it.
      if (run?.halt === 'ends') return aborted;
      if (run?.halt) return (signal) => run.pauses.pass(signal);
    }
    for (const level of levels) {
      const beside = this.#beside(level);
      if (this.#isOver(level, beside)) return aborted;
      for (const { state } of beside) {
        const { halt, pauses } = this.#active(state.run_id) ?? {};
        if (halt === 'ends' && !isFinished(state.status))
          return (signal) => this.#ended(state.run_id, signal);
        if (halt === 'pauses')
          return async (signal) => await Promise.race([pauses!.settled(), aborted(signal)]);
      }
    }
    return undefined;
  }

  /** The other branches of the same visit to the same step. */
  #beside({ group, branch }: TurnLevel): RunView[] {
    const { store } = this.#parts;
    const visit = visitOf(store.get(branch));
    return store
      .children(group)
      .filter((view) => view.branch && view.state.run_id !== branch && visitOf(view) === visit);
  }

  /** Whether the step is over, so that its flow ends what is left of it. */
  #isOver({ group, branch }: TurnLevel, beside: readonly RunView[]): boolean {
    const { store, loaded } = this.#parts;
    const flow = store.get(group);
    const app = flow && loaded.of(flow)?.app;
    const step = store.get(branch)?.branch?.of;
    const state = app?.harness === 'flow' && step !== undefined ? app.flow?.states[step] : undefined;
    if (!state || isEnd(state) || !state.parallel) return false;
    const isAny = state.parallel.until === 'any';
    return beside.some(({ state: { status } }) => isFinished(status) && (status === 'succeeded') === isAny);
  }

  #ended(runId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        forget();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = this.#parts.store.whenFinished(runId, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #keep(level: TurnLevel, owner: string): void {
    const release = this.#turns.hold(level);
    const kept: Kept = { level, release, owner, inherited: false, forget: () => {} };
    this.#kept.add(kept);
    this.#follow(kept);
  }

  /** Ends with the branch at the latest, once that end is durable. */
  #follow(kept: Kept): void {
    const { store } = this.#parts;
    const over = () => {
      const parent = store.get(kept.owner)?.state.parent_run_id;
      if (kept.owner === kept.level.branch || parent === undefined) return this.#letGo(kept);
      kept.owner = parent;
      kept.inherited = true;
      this.#follow(kept);
    };
    const view = store.get(kept.owner);
    if (!view || isFinished(view.state.status)) over();
    else kept.forget = store.whenFinished(kept.owner, over);
  }

  #release(line: readonly string[]): void {
    for (const kept of this.#kept)
      if (kept.owner === line[0] || (kept.inherited && line.includes(kept.owner))) this.#letGo(kept);
  }

  #letGo(kept: Kept): void {
    this.#kept.delete(kept);
    kept.forget();
    kept.release();
  }
}

/** The key of a branch is that of the call that opened it, and its name. */
function visitOf(view: RunView | undefined): string | undefined {
  return view?.intent.idempotency_key?.slice(0, -(view.branch?.name.length ?? 0));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
