import { type Clock, LIMITS, type Timer } from '../../contract/core.ts';

export type ReportLevel = 'info' | 'warning' | 'error';
export type ReportsParts = {
  readonly clock: Clock;
  /** True while the client does not take its answers: a report would only wait. */
  isBlocked(): boolean;
  send(level: ReportLevel, message: string, subject: string): void;
};

/** Subjects of which the time of the last report is kept. */
const SUBJECTS_MAX = 512;

/** Reports to one client besides answers: refusals and losses, each subject at most once per `ATTACH_REPORT_MS`. */
export class Reports {
  readonly #parts: ReportsParts;
  readonly #sentMs = new Map<string, number>();
  readonly #lost = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  say(level: ReportLevel, subject: string, message: string): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const key = `${subject}\n${message}`;
    const sentMs = this.#sentMs.get(key);
    if (sentMs !== undefined && nowMs - sentMs < LIMITS.ATTACH_REPORT_MS) return;
    if (this.#sentMs.size >= SUBJECTS_MAX) this.#sentMs.clear();
    this.#sentMs.set(key, nowMs);
    this.#parts.send(level, message, subject);
  }

  /** Messages of this topic did not reach the client. They are counted, and reported together. */
  lost(topic: string, count: number): void {
    if (!this.#lost.has(topic) && this.#lost.size >= SUBJECTS_MAX) return;
    this.#lost.set(topic, (this.#lost.get(topic) ?? 0) + count);
    this.#timer ??= this.#parts.clock.after(LIMITS.ATTACH_REPORT_MS, () => this.#flush());
  }

  close(): void {
    this.#timer?.cancel();
    this.#lost.clear();
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#lost.size === 0) return;
    if (this.#parts.isBlocked()) {
      this.#timer = this.#parts.clock.after(LIMITS.ATTACH_REPORT_MS, () => this.#flush());
      return;
    }
    const lost = [...this.#lost];
    this.#lost.clear();
    for (const [topic, count] of lost) {
      const message = `${count} messages of ${topic} were dropped: this client or its line is slower than the data`;
      this.#parts.send('warning', message, `lost ${topic}`);
    }
  }
}
