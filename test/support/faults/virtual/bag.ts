import type { EdgeError, Sample, TopicSpec } from '../../../../contract/index.ts';
import type { PlayableBag } from '../../../../daemon/execution/bag-player.ts';
import { velocity } from './askers.ts';
import type { VirtualProcess } from './process.ts';

const EVERY_MS = 50;
const MESSAGES = 200;

/** A recording of a base that turns to the right, played by the clock of the process that opened it. */
export class MemoryBag implements PlayableBag {
  readonly total = MESSAGES;
  readonly startNs = 0n;
  readonly endNs = BigInt(MESSAGES * EVERY_MS) * 1_000_000n;
  readonly rate = 1;
  readonly loops = 0;
  readonly #process: VirtualProcess;
  readonly #command: TopicSpec;
  readonly #over = Promise.withResolvers<{ readonly fault: EdgeError | undefined }>();
  #timer: { cancel(): void } | undefined;
  #played = 0;
  isPaused = false;

  constructor(process: VirtualProcess, command: TopicSpec) {
    this.#process = process;
    this.#command = command;
  }

  get positionNs(): bigint {
    return BigInt(this.#played * EVERY_MS) * 1_000_000n;
  }

  get finished(): Promise<{ readonly fault: EdgeError | undefined }> {
    return this.#over.promise;
  }

  async prepare(): Promise<void> {}

  begin(_topics: ReadonlySet<string>, onSample: (sample: Sample) => void): void {
    this.#timer = this.#process.every(EVERY_MS, () => {
      if (this.isPaused) return;
      if (this.#played++ >= MESSAGES) return void this.close();
      const { expiresAtMs: _, ...sample } = velocity(0.05, -0.7, this.#process.monotonicMs());
      onSample(sample);
    });
  }

  topics(): readonly TopicSpec[] {
    return [this.#command];
  }

  choose(): ReadonlySet<string> {
    return new Set([this.#command.topic]);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  seek(): void {}

  setRate(): void {}

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#over.resolve({ fault: undefined });
  }
}
