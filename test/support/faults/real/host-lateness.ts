import { readdirSync, readFileSync } from 'node:fs';
import { descendants } from '../../processes.ts';

/**
 * How long this host let the threads of a daemon wait for a processor although they could run, milliseconds in all:
 * what a busy host adds to every bound. On a quiet one it is next to nothing.
 */
export class HostLateness {
  readonly #daemon: number;
  #before: Map<string, number>;

  constructor(daemon: number) {
    this.#daemon = daemon;
    this.#before = this.#waits();
  }

  get ms(): number {
    let total = 0;
    for (const [task, ns] of this.#waits()) total += ns - (this.#before.get(task) ?? 0);
    return total / 1e6;
  }

  #waits(): Map<string, number> {
    const waits = new Map<string, number>();
    for (const pid of [this.#daemon, ...descendants(this.#daemon).map((one) => one.pid)]) {
      try {
        for (const task of readdirSync(`/proc/${pid}/task`)) {
          const [, waited] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
          waits.set(task, Number(waited));
        }
      } catch {
        // It is gone, or this kernel does not count.
      }
    }
    return waits;
  }
}
