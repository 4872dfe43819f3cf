import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../contract/index.ts';

const TICKS_PER_SECOND = 100;
const LOOK_MS = 1_000;

/** Processor time and memory of one process, and the processor time of its children, while a load runs. */
export class LoadWatch {
  readonly #clock: Clock;
  readonly #pid: number;
  readonly #rss: { readonly ms: number; readonly mb: number }[] = [];
  #began = { ms: 0, cell: 0, host: 0 };
  #hostRssMb = 0;
  #timer: { cancel(): void } | undefined;

  constructor(clock: Clock, pid: number) {
    this.#clock = clock;
    this.#pid = pid;
  }

  start(): void {
    this.#began = { ms: this.#clock.monotonicMs(), cell: cpuSeconds(this.#pid), host: this.#childSeconds() };
    this.#timer = this.#clock.every(LOOK_MS, () => {
      this.#rss.push({ ms: this.#clock.monotonicMs(), mb: rssMb(this.#pid) });
      this.#hostRssMb = Math.max(this.#hostRssMb, ...this.#children().map((pid) => rssMb(pid)));
    });
  }

  stop() {
    this.#timer?.cancel();
    const seconds = (this.#clock.monotonicMs() - this.#began.ms) / 1_000;
    // The first fifth fills queues, pools and heaps.
    const settled = this.#rss.slice(Math.floor(this.#rss.length / 5));
    return {
      cell_cpu: (cpuSeconds(this.#pid) - this.#began.cell) / seconds,
      host_cpu: (this.#childSeconds() - this.#began.host) / seconds,
      rss_mb_first: settled[0]?.mb ?? 0,
      rss_mb_last: settled.at(-1)?.mb ?? 0,
      /** Of its largest child: what waits between the middleware and the cell piles up there. */
      host_rss_mb_max: this.#hostRssMb,
      rss_mb_per_minute: slope(settled) * 60_000,
    };
  }

  #childSeconds(): number {
    return this.#children().reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  }

  #children(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && parentOf(name) === this.#pid)
      .map(Number);
  }
}

/** Least squares, MB per millisecond. */
function slope(points: readonly { readonly ms: number; readonly mb: number }[]): number {
  if (points.length < 2) return 0;
  const mean = (pick: (p: { ms: number; mb: number }) => number) =>
    points.reduce((sum, p) => sum + pick(p), 0) / points.length;
  const ms = mean((p) => p.ms);
  const mb = mean((p) => p.mb);
  const covariance = points.reduce((sum, p) => sum + (p.ms - ms) * (p.mb - mb), 0);
  return covariance / points.reduce((sum, p) => sum + (p.ms - ms) ** 2, 0);
}

function statOf(pid: number | string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  } catch {
    return [];
  }
}

function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

function parentOf(pid: string): number {
  return Number(statOf(pid)[1] ?? 0);
}

function rssMb(pid: number): number {
  try {
    const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kb ?? 0) / 1_024;
  } catch {
    return 0; // It ended.
  }
}
