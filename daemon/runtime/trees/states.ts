import {
  type FlowEnd,
  type FlowScope,
  type FlowState,
  type FlowStep,
  type FlowTransition,
  type JsonValue,
  pause,
} from '../../../contract/index.ts';
import { enterParallel, halted, limited } from './acts.ts';
import { isSteady } from './guards.ts';
import { Board, dueKey, inputsOf, numberAt, type TreeFacts } from './leaf-run.ts';
import { untilOf } from './tree-faults.ts';
import { ENDS, type TreeNode } from './tree-nodes.ts';
import { INNER, WAIT } from './vocabulary.ts';
import { type Guard, watched } from './watched.ts';

/** Where a node leads: its success, its failure; what may end it from above. */
type Onward = {
  readonly ok: string;
  readonly bad: string;
  readonly guards: readonly Guard[];
  /** The guards were asked right before: the first action need not ask again. */
  readonly isFresh?: boolean;
};

/** A step is over a little after its time on a busy host, milliseconds. */
const GRACE_MS = 60_000;
const DAY_MS = 86_400_000;

type Writes = (board: Board, scope: FlowScope) => string | Promise<string>;

/** The states of the nodes of a tree. */
export class States {
  readonly #made = new Map<string, FlowState | FlowEnd>();
  readonly #order = new Map<string, number>();
  readonly #taken = new Set<string>(Object.values(ENDS));
  readonly #deadlineMs: number;

  constructor(root: TreeNode, deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
    const visit = (node: TreeNode) => {
      this.#order.set(node.id, this.#order.size);
      this.#taken.add(node.id);
      node.children.forEach(visit);
    };
    visit(root);
  }

  /** In the order of the file. */
  sorted(): Readonly<Record<string, FlowState | FlowEnd>> {
    const place = (id: string) => this.#order.get(id) ?? 0;
    return Object.fromEntries([...this.#made].sort(([a], [b]) => place(a) - place(b)));
  }

  /** Makes the states of a node; the name of the one by which it is entered. */
  of(node: TreeNode, on: Onward): string {
    const { children, kind } = node;
    const [first] = children as [TreeNode, ...TreeNode[]];
    if (kind === 'Wait') return this.#wait(node, 'wait_duration', 1_000, on);
    if (node.leaf) return this.#leaf(node, on);
    switch (kind) {
      case 'Fallback':
        return this.#chain(children, on, 'bad');
      case 'GoalUpdatedController':
      case 'RateController':
      case 'DistanceController':
      case 'SpeedController':
        return this.of(first, on);
      case 'Inverter':
        return this.of(first, { ...on, ok: on.bad, bad: on.ok });
      case 'ForceSuccess':
        return this.of(first, { ...on, bad: on.ok });
      case 'ForceFailure':
        return this.of(first, { ...on, ok: on.bad });
      case 'IfThenElse': {
        const [, yes, no] = children;
        const bad = no ? this.of(no, { ...on, isFresh: false }) : on.bad;
        return this.of(first, { ...on, ok: this.of(yes!, { ...on, isFresh: false }), bad });
      }
      case 'ReactiveSequence':
        return this.#reactive(node, on, 'failure');
      case 'ReactiveFallback':
        return this.#reactive(node, on, 'success');
      case 'PipelineSequence':
        return this.#reactive(node, on, 'failure');
      case 'SequenceWithMemory':
        return this.#withMemory(node, on);
      case 'RoundRobin':
        return this.#roundRobin(node, on);
      case 'RecoveryNode':
        return this.#recovery(node, on);
      case 'RetryUntilSuccessful':
        return this.#counted(node, 'num_attempts', on, 'bad');
      case 'Repeat':
        return this.#counted(node, 'num_cycles', on, 'ok');
      case 'KeepRunningUntilFailure': {
        const again = this.#name(node, 'again');
        const entry = this.of(first, { ...on, ok: again });
        this.#route(again, node, { again: entry }, () => 'again');
        return entry;
      }
      case 'Timeout':
        return this.#timeout(node, on);
      case 'Delay':
        return this.#wait(node, 'delay_msec', 1, { ...on, ok: this.of(first, { ...on, isFresh: false }) });
      case 'Parallel':
      case 'ParallelAll':
        return this.#parallel(node, on);
      default:
        return this.#chain(children, on, 'ok');
    }
  }

  /** One after the other: `by` is the end of one that leads to the next. */
  #chain(children: readonly TreeNode[], on: Onward, by: 'ok' | 'bad'): string {
    return children.reduceRight(
      (next, child, index) =>
        this.of(child, { ...on, [by]: next, isFresh: index === 0 && on.isFresh === true }),
      on[by],
    );
  }

  #leaf(node: TreeNode, { ok, bad, guards, isFresh = false }: Onward): string {
    const leaf = node.leaf!;
    const own = leaf.fixed === undefined ? guards : [];
    const on = {
      ...(leaf.fixed === 'failure' ? {} : { success: ok }),
      ...(leaf.fixed === 'success' ? {} : { failure: bad }),
      ...Object.fromEntries(own.map(({ event, to }) => [event, to])),
    };
    const enter = async (scope: FlowScope): Promise<FlowStep> => {
      const board = new Board(scope.facts as TreeFacts);
      let inputs = '';
      const work = (signal: AbortSignal) => {
        inputs = inputsOf(node, board);
        return limited(node, scope, board, signal);
      };
      const again = () => leaf.follows === true && inputsOf(node, board) !== inputs;
      const done = await watched(work, own, scope, board, { startsWithGuards: !isFresh, again });
      if (done.guard) return halted(done.guard, board);
      const event = done.end.ok ? 'success' : 'failure';
      return { event, reason: done.end.reason.slice(0, 400), facts: board.facts() };
    };
    this.#put(node.id, node, { about: node.about, deadlineMs: this.#deadlineMs, on, enter });
    return node.id;
  }

  /** Earlier children are asked again while the last ones run; each that can change guards all after it. */
  #reactive(node: TreeNode, on: Onward, trips: 'success' | 'failure'): string {
    const isAll = trips === 'failure';
    const next = isAll ? 'ok' : 'bad';
    const last = node.children.at(-1)!;
    const before = node.children.slice(0, -1);
    const own: Guard[] = before
      .filter((child) => !isSteady(child))
      .map((child) => ({
        ...{ event: `${isAll ? 'no' : 'now'}_${child.id}`.slice(0, 48), to: isAll ? on.bad : on.ok },
        ...{ node: child, on: trips },
      }));
    const entry = this.of(last, { ...on, guards: [...on.guards, ...own], isFresh: before.length > 0 });
    return this.#chain(before, { ...on, [next]: entry }, next);
  }

  #recovery(node: TreeNode, on: Onward): string {
    const [main, recovery] = node.children as [TreeNode, TreeNode];
    const failed = this.#name(node, 'failed');
    const entry = this.of(main, { ...on, bad: failed });
    const back = this.of(recovery, { ...on, ok: entry, isFresh: false });
    const count = `${node.id}_n`;
    this.#route(failed, node, { recover: back, over: on.bad }, (board) => {
      const most = numberAt(node, 'number_of_retries', INNER['RecoveryNode']!.ports, board);
      const done = numeric(board.mem[count]);
      board.mem[count] = done < most ? done + 1 : 0;
      return done < most ? `recover: ${done + 1} of ${most}` : `over: ${most} of ${most}`;
    });
    return this.#reset(node, count, entry);
  }

  /** `by`: the end of the child after which it runs again. */
  #counted(node: TreeNode, port: string, on: Onward, by: 'ok' | 'bad'): string {
    const [child] = node.children as [TreeNode];
    const turn = this.#name(node, 'again');
    const entry = this.of(child, { ...on, [by]: turn });
    const count = `${node.id}_n`;
    this.#route(turn, node, { again: entry, over: on[by] }, (board) => {
      const most = numberAt(node, port, INNER[node.kind]!.ports, board);
      const done = numeric(board.mem[count]) + 1;
      const more = most < 0 || done < most;
      board.mem[count] = more ? done : 0;
      return `${more ? 'again' : 'over'}: ${done} of ${most < 0 ? 'any number' : most}`;
    });
    const binding = node.ports[port];
    if (binding && 'value' in binding && binding.value !== 0) return this.#reset(node, count, entry);
    this.#route(node.id, node, { start: entry, none: on[by] }, (board) => {
      board.mem[count] = 0;
      return numberAt(node, port, INNER[node.kind]!.ports, board) === 0
        ? 'none: 0 times'
        : 'start: from zero';
    });
    return node.id;
  }

  /** A child that failed, or that was ended from above, is the first one of the next time; those before it have succeeded. */
  #withMemory(node: TreeNode, on: Onward): string {
    const { children } = node;
    const place = `${node.id}_at`;
    const entries: string[] = [];
    let next = this.#name(node, 'done');
    this.#route(next, node, { done: on.ok }, (board) => {
      board.mem[place] = 0;
      return 'done: all have succeeded';
    });
    for (let index = children.length - 1; index >= 0; index--) {
      const entry = this.of(children[index]!, { ...on, ok: next, isFresh: false });
      entries.unshift(entry);
      if (index === 0) break;
      next = this.#name(children[index]!, 'next');
      this.#route(next, node, { go: entry }, (board) => {
        board.mem[place] = index;
        return `go: child ${index + 1} is the next one`;
      });
    }
    const ways = Object.fromEntries(entries.map((to, index) => [`child_${index + 1}`, to]));
    this.#route(node.id, node, ways, (board) => `child_${numeric(board.mem[place]) + 1}: its turn`);
    return node.id;
  }

  /** The turn moves on with each child, also when the node is entered another time, and starts again after a halt. */
  #roundRobin(node: TreeNode, on: Onward): string {
    const { children } = node;
    const turn = `${node.id}_turn`;
    const fails = `${node.id}_fails`;
    const [good, bad] = [this.#name(node, 'done'), this.#name(node, 'next')];
    // As in Nav2 a halt starts the turns again; a success does not.
    const guards = on.guards.map((guard) => ({ ...guard, forgets: [...(guard.forgets ?? []), turn] }));
    const inside = { ...on, guards, ok: good, bad, isFresh: false };
    const entries = children.map((child) => this.of(child, inside));
    const ways = Object.fromEntries(entries.map((to, index) => [`turn_${index + 1}`, to]));
    const now = (board: Board) => numeric(board.mem[turn]) % children.length;
    this.#route(node.id, node, ways, (board) => {
      board.mem[fails] = 0;
      return `turn_${now(board) + 1}: its turn`;
    });
    this.#route(good, node, { done: on.ok }, (board) => {
      board.mem[turn] = (now(board) + 1) % children.length;
      return 'done: the turn moves on';
    });
    this.#route(bad, node, { ...ways, over: on.bad }, (board) => {
      const failed = numeric(board.mem[fails]) + 1;
      const isOver = failed >= children.length;
      board.mem[fails] = isOver ? 0 : failed;
      board.mem[turn] = isOver ? 0 : (now(board) + 1) % children.length;
      return isOver ? 'over: all have failed' : `turn_${now(board) + 1}: the one before failed`;
    });
    return node.id;
  }

  #timeout(node: TreeNode, on: Onward): string {
    const [child] = node.children as [TreeNode];
    const guard: Guard = { event: `late_${node.id}`.slice(0, 48), to: on.bad, node, on: 'time' };
    const entry = this.of(child, { ...on, guards: [...on.guards, guard] });
    this.#route(node.id, node, { start: entry }, (board, { clock }) => {
      const ms = numberAt(node, 'msec', INNER['Timeout']!.ports, board);
      board.mem[dueKey(node)] = (clock.now() + BigInt(Math.round(ms * 1e6))).toString();
      return `start: ${ms} ms`;
    });
    return node.id;
  }

  /** Two states: the first writes down until when, so that a cut does not make it wait again. */
  #wait(node: TreeNode, port: string, unitMs: number, { ok, guards, isFresh = false }: Onward): string {
    const until = this.#name(node, 'until');
    const ports = node.leaf ? WAIT.ports : INNER['Delay']!.ports;
    const due = dueKey(node);
    this.#route(node.id, node, { set: until }, (board, { clock }) => {
      const ms = numberAt(node, port, ports, board) * unitMs;
      board.mem[due] = (clock.now() + BigInt(Math.round(ms * 1e6))).toString();
      for (const [out, value] of [
        ['error_code_id', 0],
        ['error_msg', ''],
      ] as const) {
        const binding = node.ports[out];
        if (binding && 'key' in binding) board.bb[binding.key] = value;
      }
      return `set: ${ms} ms`;
    });
    const enter = async (scope: FlowScope): Promise<FlowStep> => {
      const board = new Board(scope.facts as TreeFacts);
      const work = async (signal: AbortSignal) => {
        const left = Number(BigInt(String(board.mem[due] ?? '0')) - scope.clock.now()) / 1e6;
        if (left > 0) await pause(scope.clock, Math.min(left, DAY_MS), signal);
        return true;
      };
      const done = await watched(work, guards, scope, board, {
        startsWithGuards: !isFresh,
        again: () => false,
      });
      if (done.guard) return halted(done.guard, board);
      return { event: 'success', reason: 'the time is over', facts: board.facts() };
    };
    const on = { success: ok, ...Object.fromEntries(guards.map(({ event, to }) => [event, to])) };
    this.#put(until, node, {
      about: `until ${node.about} is over`,
      deadlineMs: DAY_MS + GRACE_MS,
      on,
      enter,
    });
    return node.id;
  }

  /** Each child is a run of its own; what it wrote on the blackboard is there afterwards. */
  #parallel(node: TreeNode, { ok, bad, guards, isFresh = false }: Onward): string {
    const until = untilOf(node)!;
    const branches = Object.fromEntries(
      node.children.map((child, index) => {
        const ends = { ok: this.#name(child, 'ok'), bad: this.#name(child, 'bad') };
        for (const [way, name] of Object.entries(ends)) this.#branchEnd(name, child, way === 'ok');
        return [`part${index + 1}`, this.of(child, { ...ends, guards: [] })];
      }),
    );
    const enter = (scope: FlowScope) => enterParallel(node, until, guards, !isFresh, scope);
    const on = {
      ...{ success: ok, failure: bad },
      ...Object.fromEntries(guards.map(({ event, to }) => [event, to])),
    };
    const about = `${node.about} (${until} of ${node.children.length})`;
    this.#put(node.id, node, { about, deadlineMs: DAY_MS, on, enter, parallel: { branches, until } });
    return node.id;
  }

  #branchEnd(name: string, child: TreeNode, isOk: boolean): void {
    this.#order.set(name, (this.#order.get(child.id) ?? 0) + 0.5);
    this.#made.set(name, {
      ...{ about: `${child.kind} ${isOk ? 'succeeded' : 'failed'}`, end: isOk ? 'succeeded' : 'failed' },
      conclude(facts) {
        const { bb = {}, last } = facts as TreeFacts;
        const reason = isOk ? `${child.id} succeeded` : String(last?.['reason'] ?? `${child.id} failed`);
        return { reason: reason.slice(0, 512), summary: { blackboard: bb } };
      },
    });
  }

  /** A node that counts starts at zero each time that it is entered. */
  #reset(node: TreeNode, count: string, to: string): string {
    this.#route(node.id, node, { start: to }, (board) => {
      board.mem[count] = 0;
      return 'start: from zero';
    });
    return node.id;
  }

  /** A state that only decides. `decide` answers `event: reason`, and may write. */
  #route(
    name: string,
    node: TreeNode,
    on: Readonly<Record<string, string | readonly FlowTransition[]>>,
    decide: Writes,
  ): void {
    const enter = async (scope: FlowScope): Promise<FlowStep> => {
      const board = new Board(scope.facts as TreeFacts);
      const [event = '', reason = ''] = (await decide(board, scope)).split(': ');
      return { event, reason, facts: board.facts() };
    };
    this.#put(name, node, { about: node.about, deadlineMs: GRACE_MS, on, enter });
  }

  #put(name: string, node: TreeNode, state: FlowState): void {
    if (!this.#order.has(name)) this.#order.set(name, (this.#order.get(node.id) ?? 0) + 0.5);
    this.#made.set(name, state);
  }

  #name(node: TreeNode, what: string): string {
    let name = `${node.id}_${what}`;
    for (let n = 2; this.#taken.has(name); n++) name = `${node.id}_${what}_${n}`;
    this.#taken.add(name);
    return name;
  }
}

function numeric(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}
