import {
  type Clock,
  EdgeError,
  type EngineApi,
  type EngineState,
  type EngineView,
  type NewEvent,
  pause,
  type Timer,
} from '../../../contract/core.ts';
import { argvOf, type EngineCommand, envOf } from './engine-args.ts';
import type { EngineClient } from './engine-client.ts';
import { EngineGate } from './engine-gate.ts';
import type { FreeMemory } from './engine-memory.ts';

export type EngineOptions = EngineCommand & {
  /** Free memory without which it is neither started nor woken, bytes. */
  readonly memoryFloor: number;
  readonly startMs: number;
  readonly stopMs: number;
  /** Without calls for this long it sleeps; 0: never. */
  readonly sleepAfterMs: number;
  readonly sleepLevel: 1 | 2;
};

/** One process of the engine, such as `EngineProcess`. */
export type EngineLife = {
  readonly pid: number | undefined;
  readonly ended: Promise<string>;
  stop(): Promise<void>;
};

export type EngineParts = {
  readonly clock: Clock;
  readonly client: Pick<EngineClient, 'health' | 'served' | 'sleep' | 'wake' | 'isSleeping'>;
  readonly launch: (
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    onLine: (line: string) => void,
  ) => EngineLife;
  readonly memory: () => Promise<FreeMemory>;
  /** Checks the pin; returns the revision of the model. */
  readonly revision: (model: string, pinned: string) => Promise<string>;
  readonly ownEnv: Readonly<Record<string, string | undefined>>;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (
    level: 'info' | 'warn' | 'error',
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void;
};

const LOOK_MS = 500;
/** Between two looks for memory, milliseconds. */
const MEMORY_MS = 5_000;
const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 60_000;
/** After being ready for this long its back-off is reset, milliseconds. */
const FORGET_MS = 60_000;
/** Running calls have this long to end before a sleep, milliseconds; loading weights back takes long. */
const DRAIN_MS = 30_000;
const WAKE_MS = 180_000;
const LOG_LINES = 200;

/**
 * A model server that this daemon runs: admitted by memory, checked against its pin, started, watched, restarted with
 * back-off, put to sleep and woken. Its failures never end the cell: calls are refused with a typed error, and
 * the next model is asked.
 */
export class SupervisedEngine implements EngineApi {
  readonly #options: EngineOptions;
  readonly #parts: EngineParts;
  readonly gate: EngineGate;
  readonly #log: string[] = [];
  #state: EngineState = 'stopped';
  #reason = 'it was not started yet';
  #life: EngineLife | undefined;
  #restarts = 0;
  #revision = '';
  #memory: FreeMemory = { kind: 'unknown', freeBytes: undefined };
  #loop: Promise<void> | undefined;
  #over = new AbortController();
  #changing: Promise<unknown> = Promise.resolve();
  #waking: Promise<void> | undefined;
  #idle: Timer | undefined;

  constructor(options: EngineOptions, parts: EngineParts) {
    this.#options = options;
    this.#parts = parts;
    this.gate = new EngineGate(parts.clock);
  }

  get state(): EngineState {
    return this.#state;
  }
  get reason(): string {
    return this.#reason;
  }

  start(): void {
    if (this.#loop) return;
    this.#over = new AbortController();
    this.#loop = this.#lives(this.#over.signal).catch((thrown: unknown) => {
      this.#become('failed', `a defect: ${String(thrown)}`);
    });
    const { sleepAfterMs } = this.#options;
    if (sleepAfterMs > 0)
      this.#idle = this.#parts.clock.every(Math.min(sleepAfterMs, 5_000), () => this.#doze());
  }

  /** All of it is gone when this settles. */
  async stop(): Promise<void> {
    this.#idle?.cancel();
    this.#over.abort();
    this.gate.shut();
    this.gate.refuse(this.#unavailable('the engine is stopped'));
    await this.#life?.stop();
    await this.#loop;
    this.#loop = undefined;
    this.#become('stopped', 'the daemon stops');
  }

  engine(): EngineView {
    const { name, memoryFloor } = this.#options;
    return {
      engine: name,
      state: this.#state,
      reason: this.#reason,
      pid: this.#life?.pid,
      restarts: this.#restarts,
      revision: this.#revision,
      running: this.gate.inside,
      waiting: this.gate.waiting,
      memory: { ...this.#memory, floorBytes: memoryFloor },
      log: this.#log.slice(-50),
    };
  }

  /** A call starts: it passes when the engine is awake, and wakes it where it sleeps. How to leave again. */
  async enter(ms: number, signal: AbortSignal | undefined): Promise<() => void> {
    if (this.#state === 'sleeping') {
      this.#wakeForCalls();
    } else if (this.#state !== 'ready') throw this.#unavailable(this.#away());
    return await this.gate.enter(ms, signal);
  }

  sleep(): Promise<EngineView> {
    return this.#inTurn(async () => {
      if (this.#state === 'sleeping') return this.engine();
      if (this.#state !== 'ready') throw this.#unavailable(this.#away());
      const { client } = this.#parts;
      const { sleepLevel } = this.#options;
      // From here on calls wait; running ones finish.
      this.gate.shut();
      if (!(await this.gate.empty(DRAIN_MS))) {
        this.gate.open();
        throw new EdgeError('cell.overloaded', {
          operation: 'sleep',
          subject: this.#options.name,
          message: `it still works on ${this.gate.inside} calls after ${DRAIN_MS} ms`,
        });
      }
      try {
        await client.sleep(sleepLevel, WAKE_MS);
      } catch (thrown) {
        if (this.#state === 'ready') this.gate.open();
        throw thrown;
      }
      if (this.#state === 'ready') this.#become('sleeping', `level ${sleepLevel}`);
      // Calls that came in the meantime want it awake.
      if (this.gate.waiting > 0) this.#wakeForCalls();
      return this.engine();
    });
  }

  async wake(): Promise<EngineView> {
    if (this.#state === 'ready') return this.engine();
    if (this.#state !== 'sleeping') throw this.#unavailable(this.#away());
    await this.#wakeUp();
    return this.engine();
  }

  restart(reason: string): Promise<EngineView> {
    return this.#inTurn(async () => {
      this.#parts.report('info', 'the engine is restarted', { engine: this.#options.name, reason });
      this.#over.abort();
      this.gate.shut();
      await this.#life?.stop();
      await this.#loop;
      this.#loop = undefined;
      this.#idle?.cancel();
      this.start();
      return this.engine();
    });
  }

  /** Where it cannot be woken the calls go to the next model, and do not wait for their deadline. */
  #wakeForCalls(): void {
    this.#wakeUp().catch((thrown: unknown) => {
      this.gate.refuse(EdgeError.from(thrown, 'model.unavailable', 'wake', this.#options.name));
    });
  }

  /** One wake-up at a time. */
  #wakeUp(): Promise<void> {
    this.#waking ??= this.#inTurn(async () => {
      if (this.#state !== 'sleeping') return;
      const short = await this.#memoryMissing();
      if (short !== undefined) throw this.#unavailable(`it cannot be woken: ${short}`);
      await this.#parts.client.wake(this.#options.sleepLevel, WAKE_MS);
      if (this.#state !== 'sleeping') return;
      this.#become('ready', '');
      this.gate.open();
    }).finally(() => {
      this.#waking = undefined;
    });
    return this.#waking;
  }

  #doze(): void {
    const { clock } = this.#parts;
    const quietMs = clock.monotonicMs() - this.gate.lastMs;
    const busy = this.gate.inside > 0 || this.gate.waiting > 0;
    if (this.#state !== 'ready' || busy || quietMs < this.#options.sleepAfterMs) return;
    this.sleep().catch((thrown: unknown) => {
      this.#parts.report('warn', 'the engine does not sleep', { error: (thrown as Error).message });
      // Not tried again at once: an engine that cannot sleep is not asked all the time.
      this.gate.lastMs = clock.monotonicMs();
    });
  }

  /** Sleep, wake and restart do not cross. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#changing.then(work, work);
    this.#changing = turn.catch(() => {});
    return turn;
  }

  async #lives(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    let waitMs = RESTART_FIRST_MS;
    while (!signal.aborted) {
      const began = clock.monotonicMs();
      const end = await this.#live(signal);
      this.gate.shut();
      if (signal.aborted) return;
      if (end.final) return this.#become('failed', end.reason);
      if (clock.monotonicMs() - began >= FORGET_MS) waitMs = RESTART_FIRST_MS;
      this.#restarts += 1;
      this.#become('starting', `${end.reason}; started again in ${waitMs} ms`);
      this.gate.refuse(this.#unavailable(this.#away()));
      await pause(clock, waitMs, signal);
      waitMs = Math.min(RESTART_MAX_MS, waitMs * 2);
    }
  }

  /** From admission to its end. `final`: only a person can fix it. */
  async #live(signal: AbortSignal): Promise<{ readonly reason: string; readonly final?: boolean }> {
    const { name, model, revision, port } = this.#options;
    const { client, launch, ownEnv } = this.#parts;
    let argv: readonly string[];
    try {
      this.#become('starting', 'its model is checked');
      this.#revision = await this.#parts.revision(model, revision);
      if (revision === '')
        this.#parts.report('warn', 'the model of the engine is not pinned', {
          engine: name,
          is: this.#revision,
        });
      argv = argvOf(this.#options);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'model.unavailable', 'start engine', name);
      return { reason: error.message, final: !error.retryable };
    }
    await this.#admitted(signal);
    if (signal.aborted) return { reason: 'stopped' };
    if ((await client.health(1_000)) !== undefined)
      return { reason: `another server answers on port ${port} already` };
    this.#become('starting', '');
    const life = launch(argv, envOf(this.#options, ownEnv), (line) => this.#note(line));
    this.#life = life;
    const ended = new AbortController();
    const end = life.ended.then((reason) => {
      ended.abort();
      return reason;
    });
    try {
      const fault = await this.#ready(AbortSignal.any([signal, ended.signal]));
      if (fault) {
        // The reason of its end says more than the end.
        return ended.signal.aborted ? { reason: await end } : fault;
      }
      if (signal.aborted) return { reason: 'stopped' };
      const reason = await end;
      return { reason };
    } finally {
      await life.stop();
      this.#life = undefined;
    }
  }

  /** Waits for memory. */
  async #admitted(signal: AbortSignal): Promise<void> {
    for (;;) {
      const short = await this.#memoryMissing();
      if (short === undefined || signal.aborted) return;
      this.#become('waiting', short);
      await pause(this.#parts.clock, MEMORY_MS, signal);
    }
  }

  async #memoryMissing(): Promise<string | undefined> {
    const { memoryFloor } = this.#options;
    this.#memory = await this.#parts.memory();
    const { kind, freeBytes } = this.#memory;
    if (memoryFloor === 0 || freeBytes === undefined || freeBytes >= memoryFloor) return undefined;
    const where = kind === 'gpu' ? 'on the graphics processor' : 'on this host';
    return `${mib(freeBytes)} MiB are free ${where}, ${mib(memoryFloor)} MiB are needed`;
  }

  /** Why it did not start; undefined when it is ready. */
  async #ready(
    signal: AbortSignal,
  ): Promise<{ readonly reason: string; readonly final?: boolean } | undefined> {
    const { clock, client } = this.#parts;
    const { startMs, name } = this.#options;
    const until = clock.monotonicMs() + startMs;
    for (;;) {
      if (signal.aborted) return { reason: 'it ended while it started' };
      if ((await client.health()) === 200) break;
      if (clock.monotonicMs() >= until) return { reason: `it was not ready within ${startMs} ms` };
      await pause(clock, LOOK_MS, signal);
    }
    try {
      const served = await client.served();
      if (!served.includes(name) && !served.includes(this.#options.model))
        return { reason: `it serves ${served.join(', ')}, not ${name}`, final: true };
    } catch (thrown) {
      return { reason: (thrown as Error).message };
    }
    if (signal.aborted) return { reason: 'it ended while it started' };
    this.#become('ready', '');
    this.gate.open();
    return undefined;
  }

  #note(line: string): void {
    this.#log.push(line);
    if (this.#log.length > LOG_LINES) this.#log.shift();
  }

  #become(state: EngineState, reason: string): void {
    const changed = state !== this.#state || (reason !== this.#reason && reason !== '');
    this.#state = state;
    this.#reason = reason;
    if (!changed) return;
    const pid = this.#life?.pid;
    const payload = {
      ...{ engine: this.#options.name, state, reason: reason.slice(0, 512), restarts: this.#restarts },
      ...(pid === undefined ? {} : { pid }),
      ...(this.#revision === '' ? {} : { revision: this.#revision.slice(0, 128) }),
    };
    const level = state === 'failed' ? 'error' : 'info';
    this.#parts.report(level, `engine ${state}`, payload);
    this.#parts.emit([{ kind: 'engine.state', payload }]).catch((thrown: unknown) => {
      this.#parts.report('warn', 'a state of the engine could not be logged', { error: String(thrown) });
    });
  }

  #away(): string {
    const why = this.#reason === '' ? '' : `: ${this.#reason}`;
    switch (this.#state) {
      case 'waiting':
        return `the engine waits for memory${why}`;
      case 'starting':
        return `the engine starts${why}`;
      case 'failed':
        return `the engine failed${why}`;
      default:
        return `the engine is ${this.#state}${why}`;
    }
  }

  #unavailable(message: string): EdgeError {
    return new EdgeError('model.unavailable', {
      operation: 'complete',
      subject: this.#options.name,
      message: message.slice(0, 1_000),
      hint: this.#state === 'failed' ? 'auraison engine' : '',
    });
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
