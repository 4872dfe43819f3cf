import { readFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EStopSource, EStopState } from '../../../contract/core.ts';
import { RELEASED } from './stop-latch.ts';

const SOURCES: readonly string[] = ['api', 'cli', 'zenoh', 'ros', 'file', 'agent', 'console', 'internal'];

/** The state of the emergency stop on disk: it survives kills, restarts and power cuts. */
export class StopStore {
  readonly #path: string;

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'safety', 'estop.json');
  }

  /** At the start, before anything can move. What cannot be read counts as engaged. */
  read(sinceNs: string): EStopState {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return RELEASED;
      return unreadable(sinceNs, thrown);
    }
    try {
      return checked(JSON.parse(text));
    } catch (thrown) {
      return unreadable(sinceNs, thrown);
    }
  }

  /**
   * Durable when it settles. One that is engaged is in its place before the disk is asked to make it durable: a process
   * that is killed while a slow disk works comes back with the stop. A power cut in between leaves the state before, or
   * a file that cannot be read, which counts as engaged. Where the disk takes nothing more, one that is engaged is kept without its reason: an empty
   * file needs no room, and what cannot be read counts as engaged.
   */
  async write(state: EStopState): Promise<void> {
    try {
      await this.#write(state);
    } catch (thrown) {
      if (!state.engaged) throw thrown;
      await this.#keepEmpty().catch(() => {
        throw thrown;
      });
    }
  }

  async #keepEmpty(): Promise<void> {
    await using file = await open(this.#path, 'w', 0o600);
    await file.sync();
    await this.#syncFolder();
  }

  async #write(state: EStopState): Promise<void> {
    // Not the data directory itself: where that is gone, nothing is to look as if it were there.
    await mkdir(dirname(this.#path), { mode: 0o700 }).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'EEXIST') throw thrown;
    });
    const temporary = `${this.#path}.tmp`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(state)}\n`);
      if (state.engaged) await rename(temporary, this.#path);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!state.engaged) await rename(temporary, this.#path);
    await this.#syncFolder();
  }

  async #syncFolder(): Promise<void> {
    await using folder = await open(dirname(this.#path), 'r');
    await folder.sync();
  }
}

function checked(value: unknown): EStopState {
  const { engaged, since_ns, source, by, reason, press } = value as Record<string, unknown>;
  if (engaged === false) return RELEASED;
  if (engaged !== true) throw new Error('the field engaged is neither true nor false');
  return {
    engaged,
    since_ns: typeof since_ns === 'string' && /^\d{1,20}$/.test(since_ns) ? since_ns : '0',
    source: typeof source === 'string' && SOURCES.includes(source) ? (source as EStopSource) : 'internal',
    by: typeof by === 'string' ? by.slice(0, 128) : '',
    reason: typeof reason === 'string' ? reason.slice(0, 512) : '',
    ...(isPress(press) ? { press } : {}),
  };
}

/** The name of a press, as `EStopState` has it. */
export function isPress(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,20}$/.test(value);
}

function unreadable(since_ns: string, thrown: unknown): EStopState {
  const reason = `its state on disk cannot be read: ${String(thrown)}`.slice(0, 512);
  return { engaged: true, since_ns, source: 'internal', by: 'auraison', reason };
}
