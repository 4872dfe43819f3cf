import type { ChildProcess } from 'node:child_process';
import {
  type AgentEvent,
  type CellContext,
  type CellName,
  type Clock,
  EdgeError,
  type LakeAsk,
  type LakeCursor,
  type LakeInfo,
  type LakeOverdue,
  type LakeReader,
  type LakeRows,
  type StepBatch,
  type Timer,
  type UnreadSegment,
  withDeadline,
} from '../../contract/core.ts';
import type { FromLake, LakeOp, LakeOps, LakeOrder, LakeState, ToLake } from './lake-wire.ts';
import type { RestableLake } from './resting-lake.ts';

/** Between two looks at a process that works, milliseconds. */
const LOOK_MS = 5_000;
/** A process that works and says nothing at so many looks hangs: it is killed. */
const SILENT_LOOKS_MAX = 12;
/** Closing interrupts statements and writes what is left, milliseconds. */
const CLOSE_MS = 10_000;
/** A process whose lake is closed has nothing left to do, milliseconds. */
const EXIT_MS = 2_000;
/** How often it is asked whether the reading of topics has to make room, milliseconds. */
const OVER_LOOK_MS = 25;

export type LakeProcessParts = {
  readonly clock: Clock;
  /** Aborts: an opening is ended, by the end of its process. */
  readonly ends?: AbortSignal;
  /** Starts a process that hosts a lake (`HostedLake`), with a channel of messages by structured clone. */
  spawn(): ChildProcess;
  readonly report: CellContext['report'];
  /** Counted on by each process. */
  readonly commits: { count: number };
};
export type LakeProcessOrder = Omit<LakeOrder, 'anew' | 'commits'>;

type Open = { resolve(value: unknown): void; reject(error: EdgeError): void };

/**
 * A lake whose engine is a process of its own, from `open` to `close`: its library of 60 MB goes with it, and a
 * statement that kills it takes no cell along. When the process ends in between, everything that was asked of it rejects with
 * `lake.failed`, as what is asked later; the lake is as after a power cut, and is opened again.
 */
export class LakeProcess implements RestableLake {
  readonly #parts: LakeProcessParts;
  readonly #child: ChildProcess;
  readonly #open = new Map<number, Open>();
  readonly #exited = Promise.withResolvers<void>();
  #ids = 0;
  #state: LakeState | undefined;
  /** Why the process is gone. */
  #ended: string | undefined;
  #closing: Promise<void> | undefined;
  #looks: Timer | undefined;
  #silentLooks = 0;

  private constructor(parts: LakeProcessParts) {
    this.#parts = parts;
    const child = parts.spawn();
    this.#child = child;
    child.on('message', (message) => this.#receive(message as FromLake));
    child.on('error', (error) => this.#end(`it could not be started or reached: ${error.message}`));
    child.on('exit', (code, signal) => {
      this.#end(signal === null ? `exit code ${code}` : `signal ${signal}`);
      this.#exited.resolve();
    });
  }

  /** Rejects as the opening of the lake does, and then leaves no process. */
  static async open(parts: LakeProcessParts, order: LakeProcessOrder, anew = false): Promise<LakeProcess> {
    const lake = new LakeProcess(parts);
    const end = () => lake.#child.kill('SIGKILL');
    if (parts.ends?.aborted) end();
    parts.ends?.addEventListener('abort', end, { once: true });
    try {
      await lake.#ask('open', { ...order, anew, commits: parts.commits.count });
      return lake;
    } catch (thrown) {
      await lake.close().catch(() => {});
      throw thrown;
    } finally {
      parts.ends?.removeEventListener('abort', end);
    }
  }

  /** Brings the extension of DuckLake onto this host, in a process that ends with it. */
  static async install(parts: LakeProcessParts): Promise<Readonly<Record<string, unknown>>> {
    const lake = new LakeProcess(parts);
    try {
      return await lake.#ask('install');
    } finally {
      await lake.close().catch(() => {});
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  info(): LakeInfo {
    return this.#state!.info;
  }

  get isIdle(): boolean {
    return this.#state?.isIdle ?? false;
  }

  overdue(): LakeOverdue {
    const isGone = this.#ended !== undefined || this.#closing !== undefined;
    return (isGone ? undefined : this.#state?.overdue) ?? { count: 0, oldest: 0 };
  }

  project(cell: CellName, events: readonly AgentEvent[], cutThrough?: number): Promise<void> {
    return this.#ask('project', cell, events, cutThrough);
  }

  cursors(): Promise<Readonly<Partial<Record<CellName, LakeCursor>>>> {
    return this.#ask('cursors');
  }

  query(sql: string, ask: LakeAsk): Promise<LakeRows> {
    return this.#ask('query', sql, ask);
  }

  async read(sql: string, ask: LakeAsk): Promise<LakeReader> {
    const { reader, columns } = await this.#ask('read', sql, ask);
    let closed: Promise<void> | undefined;
    return {
      columns,
      next: (bytes) => this.#ask('next', reader, bytes),
      close: () => {
        // With the process its statements are gone.
        closed ??= this.#ask('endRead', reader).catch(() => {});
        return closed;
      },
    };
  }

  rebuild(cell?: CellName, keepThrough?: number): Promise<void> {
    return this.#ask('rebuild', cell, keepThrough);
  }

  unreadSegments(topicsBegin: string, limit: number): Promise<readonly UnreadSegment[]> {
    return this.#ask('unreadSegments', topicsBegin, limit);
  }

  addSteps(segment: UnreadSegment, batch: StepBatch): Promise<boolean> {
    return this.#ask('addSteps', segment, batch);
  }

  async readTopics(isOver: () => boolean): Promise<boolean> {
    if (isOver()) return true;
    const looks = this.#parts.clock.every(OVER_LOOK_MS, () => {
      if (isOver()) this.#send({ t: 'over' });
    });
    return this.#ask('readTopics').finally(() => looks.cancel());
  }

  digest(): Promise<string> {
    return this.#ask('digest');
  }

  /** May be called twice; resolves when the process is gone. Rejects as the closing of the lake does. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { clock } = this.#parts;
    if (this.#ended !== undefined) return;
    try {
      await withDeadline(clock, CLOSE_MS, this.#ask('close'), 'lake.close', 'lake');
      if (this.#child.connected) this.#child.disconnect();
      await withDeadline(clock, EXIT_MS, this.#exited.promise, 'lake.close', 'lake').catch(() => {});
    } finally {
      this.#looks?.cancel();
      if (this.#ended === undefined) this.#child.kill('SIGKILL');
      this.#end('the lake is closed');
    }
  }

  #ask<N extends LakeOp>(op: N, ...args: Parameters<LakeOps[N]>): ReturnType<LakeOps[N]> {
    return this.#called(op, args) as ReturnType<LakeOps[N]>;
  }

  #called(op: LakeOp, args: readonly unknown[]): Promise<unknown> {
    if (this.#closing && op !== 'close') return Promise.reject(closed());
    if (this.#ended !== undefined) return Promise.reject(gone(this.#ended));
    const id = ++this.#ids;
    const answer = new Promise((resolve, reject) => this.#open.set(id, { resolve, reject }));
    this.#silentLooks = 0;
    this.#looks ??= this.#parts.clock.every(LOOK_MS, () => this.#look());
    this.#send({ t: 'call', id, op, args });
    return answer;
  }

  #send(message: ToLake): void {
    if (!this.#child.connected) return;
    // A process that died between two messages is noticed by its exit.
    this.#child.send(message, () => {});
  }

  #receive(message: FromLake): void {
    this.#silentLooks = 0;
    if (message.t === 'report') {
      this.#parts.report(message.level, message.message, message.facts);
      return;
    }
    if (message.state) {
      this.#state = message.state;
      this.#parts.commits.count = message.state.commits;
    }
    if (message.t === 'works') return;
    const open = this.#open.get(message.id);
    this.#open.delete(message.id);
    if (this.#open.size === 0) {
      this.#looks?.cancel();
      this.#looks = undefined;
    }
    if (message.t === 'ok') open?.resolve(message.value);
    else open?.reject(EdgeError.fromBody(message.error));
  }

  /** Looks are counted and not the time: a cell that stood still itself has not heard its process either. */
  #look(): void {
    this.#silentLooks++;
    if (this.#silentLooks > SILENT_LOOKS_MAX) this.#child.kill('SIGKILL');
  }

  #end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#looks?.cancel();
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of open) one.reject(gone(reason));
  }
}

function closed(): EdgeError {
  return new EdgeError('lake.unavailable', {
    ...{ operation: 'lake.use', subject: 'lake', message: 'the lake is closed' },
  });
}

function gone(reason: string): EdgeError {
  return new EdgeError('lake.failed', {
    ...{ operation: 'lake.use', subject: 'lake', message: `the process of the lakehouse ended: ${reason}` },
    hint: 'it is started again; ask again, for less where the same statement ends it each time',
  });
}
