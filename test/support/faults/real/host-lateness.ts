import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

  /** What was before counts for nothing. */
  restart(): void {
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

/** How often a command is looked at until it has left its file, milliseconds. */
const LOOK_MS = 5;

/**
 * The same of a command, until the file lies there that is its deed: what it does then does not count. The result says how
 * long it had to wait, milliseconds.
 */
export function waitOfCommand(pid: number, file: string): () => number {
  let waitedNs = 0;
  const look = () => {
    try {
      waitedNs = Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]);
      if (!existsSync(file)) return;
    } catch {
      // It has ended, or this kernel does not count.
    }
    clearInterval(timer);
  };
  const timer = setInterval(look, LOOK_MS);
  return () => {
    clearInterval(timer);
    return waitedNs / 1e6;
  };
}
