import { readFileSync } from 'node:fs';

const EVERY_MS = 20;

/**
 * The longest time for which the event loop of this process did not turn, milliseconds. Time in which the main thread
 * waited for a processor does not count: on a busy host that says nothing about this process.
 */
export class StallMeter {
  #longestMs = 0;
  #atMs = performance.now();
  #waitedMs = waitedMs();
  readonly #timer = setInterval(() => this.#look(), EVERY_MS);

  get longestMs(): number {
    this.#look();
    return Math.round(this.#longestMs);
  }

  reset(): void {
    this.#look();
    this.#longestMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    const waited = waitedMs();
    const heldUpMs = nowMs - this.#atMs - (waited - this.#waitedMs) - EVERY_MS;
    this.#longestMs = Math.max(this.#longestMs, heldUpMs);
    this.#atMs = nowMs;
    this.#waitedMs = waited;
  }
}

/** Time for which the main thread waited for a processor since its start, by the kernel. */
function waitedMs(): number {
  const [, waitedNs = '0'] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(waitedNs) / 1e6;
}

/** The most memory that this process had in use at a time, bytes. */
export function peakBytes(pid: number | 'self' = 'self'): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}
