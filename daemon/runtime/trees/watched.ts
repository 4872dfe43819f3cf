import { EdgeError, type FlowScope, pause, type RobotState } from '../../../contract/index.ts';
import { guardHolds, type Pace, paceOf, refuseMoving } from './guards.ts';
import { type Board, dueKey } from './leaf-run.ts';
import type { TreeNode } from './tree-nodes.ts';

/** What ends an action from above while it runs: a node that is asked again and again, or a time. */
export type Guard = {
  /** The event by which the state ends. */
  readonly event: string;
  /** The state that follows. */
  readonly to: string;
  /** The node that is asked, or the Timeout whose time is in the memory of the tree. */
  readonly node: TreeNode;
  /** The answer that ends the action; `time`: the time is over. */
  readonly on: 'success' | 'failure' | 'time';
  /** What nodes between this one and the action remember, and forget when they are halted. */
  readonly forgets?: readonly string[];
};

export type Watched<T> =
  | { readonly end: T; readonly guard?: undefined }
  | { readonly guard: Guard; readonly end?: undefined };

/** Robot state is read this often for guards that are paced by the way or the speed, milliseconds. */
const LOOK_MS = 500;
/** A guard is asked no more often than this, milliseconds. */
const PACE_MS_MIN = 100;
const DAY_MS = 86_400_000;

/**
 * Does the work, and asks the guards meanwhile. Where one ends it, the work is aborted, has settled, and its robot stands,
 * before this settles, also where a guard throws. `again`: after each round of guards, whether the work has to start again.
 */
export async function watched<T>(
  work: (signal: AbortSignal) => Promise<T>,
  guards: readonly Guard[],
  scope: FlowScope,
  board: Board,
  options: { readonly startsWithGuards: boolean; readonly again: () => boolean },
): Promise<Watched<T>> {
  if (guards.length === 0) return { end: await work(scope.signal) };
  for (const { node, on } of guards) if (on !== 'time') refuseMoving(node, scope);
  const timers = guards.map((guard) => new GuardTimer(guard, scope, board));
  if (options.startsWithGuards) {
    for (const timer of timers) {
      const guard = await asked(timer, timers, scope);
      if (guard) return { guard };
    }
  }
  for (;;) {
    const over = new AbortController();
    const signal = AbortSignal.any([scope.signal, over.signal]);
    const done = { is: false };
    const running = work(signal).finally(() => {
      done.is = true;
      over.abort();
    });
    // What it throws is thrown below, where it is awaited.
    running.catch(() => {});
    const ended = await firstEnd(timers, scope, signal, done, options.again).catch(
      async (thrown: unknown) => {
        over.abort(thrown);
        await running.catch(() => {});
        throw thrown;
      },
    );
    if (ended === 'over') return { end: await running };
    over.abort(
      new EdgeError('run.cancelled', { operation: 'guard', subject: 'tree', message: 'a guard ended it' }),
    );
    await running.catch((thrown: unknown) => {
      if (scope.signal.aborted) throw thrown;
    });
    if (ended !== 'again') return { guard: ended };
  }
}

/** Asks the guards in turn until one ends the work, or the work is over. */
async function firstEnd(
  timers: readonly GuardTimer[],
  scope: FlowScope,
  signal: AbortSignal,
  done: { readonly is: boolean },
  again: () => boolean,
): Promise<Guard | 'over' | 'again'> {
  for (;;) {
    const waits = timers.map((timer) => timer.waitMs());
    await pause(scope.clock, Math.max(PACE_MS_MIN, Math.min(...waits)), signal);
    if (done.is || scope.signal.aborted) return 'over';
    for (const timer of timers) {
      if (!(await timer.isDue())) continue;
      if (done.is || scope.signal.aborted) return 'over';
      const guard = await asked(timer, timers, scope);
      if (guard) return done.is ? 'over' : guard;
      if (again()) return done.is ? 'over' : 'again';
    }
  }
}

/**
 * Asks one guard now; gives what ends the action. The answer of a condition is not waited for once a time is over: a
 * Timeout of BehaviorTree.CPP has a timer of its own, and its conditions take no time.
 */
async function asked(
  timer: GuardTimer,
  timers: readonly GuardTimer[],
  scope: FlowScope,
): Promise<Guard | undefined> {
  const times = timers.filter(({ guard }) => guard.on === 'time');
  if (timer.guard.on === 'time' || times.length === 0)
    return (await timer.ends(scope)) ? timer.guard : undefined;
  const late = new AbortController();
  const answered = new AbortController();
  const waitMs = Math.max(0, Math.min(DAY_MS, ...times.map((time) => time.waitMs())));
  void pause(scope.clock, waitMs, AbortSignal.any([answered.signal, scope.signal])).then(() => {
    if (!answered.signal.aborted) late.abort();
  });
  try {
    const ends = await timer.ends({ ...scope, signal: AbortSignal.any([scope.signal, late.signal]) });
    if (!late.signal.aborted) return ends ? timer.guard : undefined;
  } catch (thrown) {
    if (scope.signal.aborted || !late.signal.aborted) throw thrown;
  } finally {
    answered.abort();
  }
  return times.find((time) => time.waitMs() <= 0)?.guard;
}

class GuardTimer {
  readonly guard: Guard;
  readonly #scope: FlowScope;
  readonly #board: Board;
  readonly #pace: Pace;
  #last: bigint;
  #from: number | undefined;

  constructor(guard: Guard, scope: FlowScope, board: Board) {
    this.guard = guard;
    this.#scope = scope;
    this.#board = board;
    this.#pace = guard.on === 'time' ? { ms: 0 } : paceOf(guard.node, board);
    this.#last = scope.clock.now();
  }

  /** How long nothing has to be asked, milliseconds. */
  waitMs(): number {
    const now = this.#scope.clock.now();
    if (this.guard.on === 'time') return Number(this.#due() - now) / 1e6;
    if (!('ms' in this.#pace)) return LOOK_MS;
    return this.#pace.ms - Number(now - this.#last) / 1e6;
  }

  async isDue(): Promise<boolean> {
    if ('ms' in this.#pace) return this.waitMs() <= 0;
    const state = await this.#state();
    if (!state) return false;
    if ('metres' in this.#pace) {
      this.#from ??= state.distance;
      return state.distance - this.#from >= this.#pace.metres;
    }
    const { slow, fast, from, to } = this.#pace;
    const share = Math.min(1, Math.max(0, (Math.abs(state.twist.linear) - from) / Math.max(1e-6, to - from)));
    const rate = slow + (fast - slow) * share;
    return Number(this.#scope.clock.now() - this.#last) / 1e9 >= 1 / rate;
  }

  /** Asks now; `scope` says until when. */
  async ends(scope: FlowScope): Promise<boolean> {
    const { node, on } = this.guard;
    this.#last = this.#scope.clock.now();
    this.#from = undefined;
    if (on === 'time') return this.#due() <= this.#scope.clock.now();
    const { last } = this.#board;
    const holds = await guardHolds(node, scope, this.#board);
    // A condition that does not hold is no failure of the tree.
    this.#board.last = last;
    return !scope.signal.aborted && holds === (on === 'success');
  }

  #due(): bigint {
    return BigInt(String(this.#board.mem[dueKey(this.guard.node)] ?? '0'));
  }

  async #state(): Promise<RobotState | undefined> {
    try {
      return await this.#scope.robot.state();
    } catch (thrown) {
      if (this.#scope.signal.aborted) throw thrown;
      return undefined;
    }
  }
}
