/** The newest lines of logs, and what diagnostics said last. Bounded. Pure. */
import type { LiveSample } from '../link/sample.ts';

export const LOG_TYPE = 'rcl_interfaces/msg/Log';
export const DIAGNOSTICS_TYPE = 'diagnostic_msgs/msg/DiagnosticArray';

export type LogLine = {
  readonly n: number;
  readonly timeS: number;
  readonly level: number;
  readonly name: string;
  readonly text: string;
};
const LINES_MAX = 1_000;
const TEXT_MAX = 2_000;

export const LEVELS: readonly (readonly [least: number, word: string])[] = [
  [50, 'fatal'],
  [40, 'error'],
  [30, 'warn'],
  [20, 'info'],
  [10, 'debug'],
];
export const wordOf = (level: number): string => LEVELS.find(([least]) => level >= least)?.[1] ?? 'other';

export class LogBook {
  readonly #lines: LogLine[] = [];
  #count = 0;

  take({ value, timeS }: LiveSample): void {
    if (value === undefined) return;
    const { level, name, msg } = value as { level: number; name: string; msg: string };
    this.#count += 1;
    const text = msg.length > TEXT_MAX ? `${msg.slice(0, TEXT_MAX)}…` : msg;
    this.#lines.push({ n: this.#count, timeS, level, name, text });
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
  }

  /** Newest first: at least of that level and with the text. */
  lines(least: number, filter: string, most = 200): LogLine[] {
    const wanted = filter.toLowerCase();
    const found: LogLine[] = [];
    for (let i = this.#lines.length - 1; i >= 0 && found.length < most; i--) {
      const line = this.#lines[i]!;
      if (line.level >= least && `${line.name} ${line.text}`.toLowerCase().includes(wanted)) found.push(line);
    }
    return found;
  }
}

export type Diagnosis = {
  readonly name: string;
  readonly level: number;
  readonly message: string;
  readonly hardware: string;
  readonly values: readonly { readonly key: string; readonly value: string }[];
  readonly atMs: number;
};
const DIAGNOSES_MAX = 500;

/** `diagnostic_msgs/DiagnosticStatus`: OK, WARN, ERROR, STALE. */
export const DIAGNOSIS_WORDS: readonly string[] = ['ok', 'warning', 'error', 'stale'];

export class DiagnosisBook {
  readonly #byName = new Map<string, Diagnosis>();

  take({ value, atMs }: LiveSample): void {
    type Status = Omit<Diagnosis, 'hardware' | 'atMs'> & { readonly hardware_id: string };
    for (const { name, level, message, hardware_id, values } of (value?.['status'] ??
      []) as readonly Status[]) {
      if (!this.#byName.has(name) && this.#byName.size >= DIAGNOSES_MAX) continue;
      this.#byName.set(name, { name, level, message, values, hardware: hardware_id, atMs });
    }
  }

  /** The worst first. */
  all(): Diagnosis[] {
    return [...this.#byName.values()].sort((a, b) => b.level - a.level || (a.name < b.name ? -1 : 1));
  }
}
