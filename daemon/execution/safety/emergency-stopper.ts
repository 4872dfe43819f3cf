import {
  type Clock,
  EdgeError,
  type EmergencyStop,
  type EStopSource,
  type EStopState,
  type NewEvent,
  toWireTime,
} from '../../../contract/core.ts';
import { RELEASED, type StopLatch } from './stop-latch.ts';

export type EmergencyStopperDeps = {
  readonly clock: Clock;
  readonly latch: StopLatch;
  /** Makes the state durable. */
  write(state: EStopState): Promise<void>;
  /** Ends everything that moves; rejects where standing still was not confirmed. */
  stop(reason: string): Promise<void>;
  /** Why it cannot be released now: the stop file exists, or a topic still says `true`. Empty: it can be released. */
  causes(): readonly string[];
  note(event: NewEvent): void;
  /** Informs every part that could start a motion. */
  tell(state: EStopState): void;
  /** Called when it is released. */
  released?(): void;
};

type Press = {
  readonly id: bigint;
  /** Who, and by which way. */
  readonly from: string;
};

/** Sources that only people use. */
const PERSONS: ReadonlySet<EStopSource> = new Set(['api', 'cli', 'console']);

/**
 * The software emergency stop. The gate is closed in the turn in which it is asked for, before anything is awaited: it
 * does not matter whether the disk, the log or the robot answer. Opening it goes the other way round: first durable,
 * then open.
 */
export class EmergencyStopper implements EmergencyStop {
  readonly #deps: EmergencyStopperDeps;
  /** One after the other: the last word on disk is the last one that was said. */
  #writing: Promise<void> = Promise.resolve();
  /** The stop of now: a topic that says it fifty times a second stops the robot once. */
  #stopping: Promise<EStopState> | undefined;
  /** The newest press. A release that had to wait, or was on its way, sees by it that it was pressed again. */
  #newest: Press;
  /** One after the other: else one that failed could write over what another one said. */
  #releasing: Promise<unknown> = Promise.resolve();

  constructor(deps: EmergencyStopperDeps) {
    this.#deps = deps;
    const { press = '0', source, by } = deps.latch.state;
    this.#newest = { id: BigInt(press), from: source === '' ? '' : `${by} (${source})` };
  }

  state(): EStopState {
    return this.#deps.latch.state;
  }

  async engage(source: EStopSource, by: string, reason: string): Promise<EStopState> {
    const { latch, clock, note } = this.#deps;
    const told = { source, by: worded(by, 128), reason: worded(reason, 512) };
    const since_ns = toWireTime(clock.now());
    // By the clock, so that it rises across restarts; by one where the clock was set back.
    const id = BigInt(since_ns) > this.#newest.id ? BigInt(since_ns) : this.#newest.id + 1n;
    this.#newest = { id, from: `${told.by} (${source})` };
    if (latch.engaged) {
      // The one who stopped the robot says why, a moment later.
      const explains = told.reason !== '' && isUnexplained(latch.state, told);
      latch.set({ ...latch.state, ...(explains ? told : {}), press: String(id) });
      if (explains) note({ kind: 'estop.engaged', payload: told });
    } else {
      latch.set({ engaged: true, since_ns, ...told, press: String(id) });
      note({ kind: 'estop.engaged', payload: told });
      this.#deps.tell(latch.state);
      this.#stopping = undefined;
    }
    // A person who presses again sees something move.
    if (!this.#stopping || PERSONS.has(source)) this.#stopping = this.#stop(latch.state);
    return this.#stopping;
  }

  async #stop(state: EStopState): Promise<EStopState> {
    const [stopped, written] = await Promise.allSettled([
      this.#deps.stop(`emergency stop by ${state.by}: ${state.reason}`),
      this.#write(state),
    ]);
    if (written.status === 'rejected')
      throw incomplete('it was not written to disk', written.reason, 'log.failed');
    if (stopped.status === 'rejected')
      throw incomplete('standing still was not confirmed', stopped.reason, 'robot.unreachable');
    return state;
  }

  /** What was pressed after this call, or after `press`, is not released by it, whenever its turn comes. */
  async release(source: EStopSource, by: string, reason: string, press?: string): Promise<EStopState> {
    if (!PERSONS.has(source)) throw this.#refuse(source, by);
    const answers = press === undefined ? this.#newest.id : BigInt(press);
    const released = this.#releasing.then(() => this.#release(source, by, reason, answers));
    this.#releasing = released.catch(() => {});
    return released;
  }

  async #release(source: EStopSource, by: string, reason: string, answers: bigint): Promise<EStopState> {
    const { latch, note } = this.#deps;
    if (!latch.engaged) return latch.state;
    this.#checkCauses(this.#causes(answers));
    // From here on each caller is answered when it stands on disk behind this release, also who says it again.
    this.#stopping = undefined;
    await this.#writeOrSay(RELEASED);
    // Asked for again while the disk worked, or a cause is back: then it stays, on disk too.
    const found = this.#causes(answers);
    if (found.length > 0) {
      await this.#write(latch.state);
      this.#checkCauses(found);
    }
    latch.set(RELEASED);
    this.#deps.released?.();
    note({
      kind: 'estop.released',
      payload: { source, by: worded(by, 128), reason: worded(reason, 512) },
    });
    return latch.state;
  }

  /** Why a release that answers this press may not be. */
  #causes(answers: bigint): readonly string[] {
    const { id, from } = this.#newest;
    return [...this.#deps.causes(), ...(id <= answers ? [] : [`it was engaged again by ${from}`])];
  }

  async #writeOrSay(state: EStopState): Promise<void> {
    try {
      await this.#write(state);
    } catch (thrown) {
      // Perhaps it is still on disk: then what still holds goes over it.
      this.#write(this.#deps.latch.state).catch(() => {});
      throw EdgeError.from(thrown, 'log.failed', 'release the emergency stop', 'estop');
    }
  }

  #checkCauses(found: readonly string[]): void {
    if (found.length === 0) return;
    throw new EdgeError('command.refused', {
      operation: 'release the emergency stop',
      subject: 'estop',
      message: `a cause of the stop is still present: ${found.join('; ')}`,
      hint: 'remove the cause first, or check who engaged the stop again (auraison estop status); then release it',
    });
  }

  #refuse(source: EStopSource, by: string): EdgeError {
    const error = new EdgeError('policy.denied', {
      operation: 'release the emergency stop',
      subject: `${source} ${by}`.slice(0, 256),
      message: 'only a person releases the emergency stop',
      hint: 'auraison estop release, or the console of this robot',
    });
    this.#deps.note({
      kind: 'command.refused',
      payload: { error: error.toBody(), source: `estop/${source}` },
    });
    return error;
  }

  #write(state: EStopState): Promise<void> {
    const written = this.#writing.then(() => this.#deps.write(state));
    this.#writing = written.catch(() => {});
    return written;
  }
}

function isUnexplained(state: EStopState, { source, by }: Pick<EStopState, 'source' | 'by'>): boolean {
  return state.reason === '' && state.source === source && state.by === by;
}

/** For the log: one line, and never empty where somebody is meant. */
function worded(text: string, most: number): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, most);
}

function incomplete(what: string, cause: unknown, code: 'log.failed' | 'robot.unreachable'): EdgeError {
  const error = EdgeError.from(cause, code, 'emergency stop', 'robot');
  return new EdgeError(error.code, {
    operation: 'emergency stop',
    subject: 'robot',
    message: `the emergency stop is engaged, but ${what}: ${error.message}`,
    hint: 'this daemon no longer moves the robot; check the robot itself',
    cause,
  });
}
