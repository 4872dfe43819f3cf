import type { ControllerSpec } from './controller-spec.ts';
import type { Measured } from './gate-port.ts';

/**
 * Records between the thread and the cell: two seconds of one controller at 500 Hz; then steps go unrecorded, counted.
 */
const RECORDS = 1_024;
const HEAD = 8;
/**
 * Words: messages posted to the thread; written records; read records; records lost; steps done; it has no steps to do.
 */
const MAIL = 0;
const WRITTEN = 1;
const READ = 2;
const LOST = 3;
const STEPS = 4;
const IDLE = 5;
const WORDS = 8;

/** Numbers of one record before `asked` and `applied`. */
export type StepRecord = {
  readonly index: number;
  readonly run: number;
  readonly timeMs: number;
  readonly sent: boolean;
  readonly verdict: number;
  readonly reason: number;
  readonly chunk: number;
  /** Of the step, and what of it was not waiting for a processor, milliseconds. */
  readonly lateMs: number;
  readonly lateNetMs: number;
  readonly asked: Float64Array;
  readonly applied: Float64Array;
};

/**
 * Memory that the cell's main thread and the thread of the controllers share: how old the inputs are and where the
 * joints stand, from the one; the steps as they were applied, from the other. Each number has one writer. A reader
 * of joints that met a writer reads again.
 *
 * While it steps, the thread takes no lock that the main thread ever holds: one that was put aside in the middle of it
 * would keep a real-time thread waiting for its turn. So the thread is not woken and wakes no other, the main thread
 * polls for records, and ports, which have locks, are read only when the count of messages says so.
 */
export class SharedState {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #records: Float64Array;
  readonly #specs: readonly ControllerSpec[];
  readonly #width: number;
  readonly #stride: number;
  readonly #inputs: number;
  readonly #block: number;

  static bytes(specs: readonly ControllerSpec[]): number {
    const { width, block } = layout(specs);
    return 4 * (WORDS + 2 * specs.length) + 8 * (1 + specs.length * block + RECORDS * (HEAD + 1 + 2 * width));
  }

  constructor(memory: SharedArrayBuffer, specs: readonly ControllerSpec[]) {
    const { width, inputs, block } = layout(specs);
    this.#specs = specs;
    this.#width = width;
    this.#inputs = inputs;
    this.#block = block;
    this.#stride = HEAD + 1 + 2 * width;
    const words = WORDS + 2 * specs.length;
    this.#words = new Int32Array(memory, 0, words);
    const at = Math.ceil((4 * words) / 8) * 8;
    this.#numbers = new Float64Array(memory, at, specs.length * block);
    this.#records = new Float64Array(memory, at + 8 * specs.length * block, RECORDS * this.#stride);
  }

  /** Nothing has come yet, and no controller may move. */
  clear(): void {
    this.#numbers.fill(-Infinity);
    for (let i = 0; i < this.#specs.length; i++) this.allow(i, 0);
  }

  /** A message lies in the port of the thread. It looks before its next step; where it has none, it is woken. */
  posted(): void {
    Atomics.add(this.#words, MAIL, 1);
    if (Atomics.load(this.#words, IDLE) === 1) Atomics.notify(this.#words, MAIL);
  }

  get mail(): number {
    return Atomics.load(this.#words, MAIL);
  }

  /** Until `ms` have passed or, where it is idle, a message came since `mail` was read. Blocks its thread. */
  sleep(mail: number, ms: number, idle: boolean): void {
    Atomics.store(this.#words, IDLE, idle ? 1 : 0);
    Atomics.wait(this.#words, MAIL, mail, ms);
  }

  /** Which run of a controller may move the robot; 0: none. Takes effect before its next step. */
  allow(index: number, run: number): void {
    Atomics.store(this.#words, WORDS + this.#specs.length + index, run);
  }
  allowed(index: number): number {
    return Atomics.load(this.#words, WORDS + this.#specs.length + index);
  }

  /** When the newest sample of an input was measured, monotonic milliseconds. */
  measured(index: number, input: number, atMs: number): void {
    this.#numbers[index * this.#block + input] = atMs;
  }
  measuredAt(index: number, input: number): number {
    return this.#numbers[index * this.#block + input]!;
  }

  /** Positions and efforts by the names of the output. */
  joints(index: number, atMs: number, positions: ArrayLike<number>, efforts: ArrayLike<number>): void {
    const version = WORDS + index;
    Atomics.add(this.#words, version, 1);
    const at = index * this.#block + this.#inputs;
    const { length } = this.#specs[index]!.output.names;
    for (let j = 0; j < length; j++) {
      this.#numbers[at + 1 + j] = positions[j]!;
      this.#numbers[at + 1 + this.#width + j] = efforts[j] ?? Number.NaN;
    }
    this.#numbers[at] = atMs;
    Atomics.add(this.#words, version, 1);
  }

  /** The robot took the command of the step of that moment. */
  taken(index: number, stepMs: number): void {
    this.#numbers[(index + 1) * this.#block - 1] = stepMs;
  }
  takenAt(index: number): number {
    return this.#numbers[(index + 1) * this.#block - 1]!;
  }

  /** Returns when they were measured, monotonic milliseconds. */
  readJoints(index: number, into: Measured): number {
    const version = WORDS + index;
    const at = index * this.#block + this.#inputs;
    const { length } = this.#specs[index]!.output.names;
    for (let tries = 0; tries < 4; tries++) {
      const before = Atomics.load(this.#words, version);
      for (let j = 0; j < length; j++) {
        into.positions[j] = this.#numbers[at + 1 + j]!;
        into.efforts[j] = this.#numbers[at + 1 + this.#width + j]!;
      }
      const atMs = this.#numbers[at]!;
      // Adding nothing, not loading: on ARM a plain load may pass an atomic load that comes after it.
      if (before % 2 === 0 && Atomics.add(this.#words, version, 0) === before) return atMs;
    }
    // The writer was stopped in the middle of it: four tries are a microsecond, and the next step is soon.
    return -Infinity;
  }

  /** False when they are not read: the record is counted as dropped. */
  write(record: StepRecord): boolean {
    const written = Atomics.load(this.#words, WRITTEN);
    Atomics.add(this.#words, STEPS, 1);
    if (((written - Atomics.load(this.#words, READ)) | 0) >= RECORDS) {
      Atomics.add(this.#words, LOST, 1);
      return false;
    }
    const { index, run, timeMs, sent, verdict, reason, chunk, lateMs, lateNetMs } = record;
    // Words wrap round after days; the number of records divides that.
    const at = ((written >>> 0) % RECORDS) * this.#stride;
    const to = this.#records;
    to[at] = index;
    to[at + 1] = run;
    to[at + 2] = timeMs;
    to[at + 3] = verdict + (sent ? 16 : 0);
    to[at + 4] = reason;
    to[at + 5] = chunk;
    to[at + 6] = lateMs;
    to[at + 7] = lateNetMs;
    const { length } = record.asked;
    for (let j = 0; j < length; j++) {
      to[at + HEAD + 1 + j] = record.asked[j]!;
      to[at + HEAD + 1 + this.#width + j] = record.applied[j]!;
    }
    Atomics.store(this.#words, WRITTEN, (written + 1) | 0);
    return true;
  }

  get unread(): number {
    return (Atomics.load(this.#words, WRITTEN) - Atomics.load(this.#words, READ)) | 0;
  }
  get lost(): number {
    return Atomics.load(this.#words, LOST);
  }
  /** Steps of all controllers, for the watch that checks whether the thread lives. */
  get steps(): number {
    return Atomics.load(this.#words, STEPS);
  }

  /** The oldest record that was not read; undefined when all were read. Its arrays are copies. */
  read(): StepRecord | undefined {
    const read = Atomics.load(this.#words, READ);
    if (read === Atomics.load(this.#words, WRITTEN)) return undefined;
    const at = ((read >>> 0) % RECORDS) * this.#stride;
    const from = this.#records;
    const index = from[at]!;
    const length = this.#specs[index]!.output.names.length;
    const verdict = from[at + 3]!;
    const asked = at + HEAD + 1;
    const record: StepRecord = {
      index,
      run: from[at + 1]!,
      timeMs: from[at + 2]!,
      sent: verdict >= 16,
      verdict: verdict % 16,
      reason: from[at + 4]!,
      chunk: from[at + 5]!,
      lateMs: from[at + 6]!,
      lateNetMs: from[at + 7]!,
      asked: Float64Array.from(from.subarray(asked, asked + length)),
      applied: Float64Array.from(from.subarray(asked + this.#width, asked + this.#width + length)),
    };
    Atomics.store(this.#words, READ, (read + 1) | 0);
    return record;
  }
}

function layout(specs: readonly ControllerSpec[]): { width: number; inputs: number; block: number } {
  const width = Math.max(1, ...specs.map(({ output }) => output.names.length));
  const inputs = Math.max(1, ...specs.map((spec) => spec.inputs.length));
  return { width, inputs, block: inputs + 1 + 2 * width + 1 };
}
