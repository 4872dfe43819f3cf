import { closeSync, type FSWatcher, lstatSync, openSync, readSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../../../contract/core.ts';

const NAME = 'estop';
/** Beside the notice of the kernel, which may fail: not every file system sends it, and their number is limited. */
const LOOK_MS = 250;
const WORDS_BYTES_MAX = 512;
/** A shell makes the file first and fills it then. An empty one counts after this, milliseconds. */
const FILL_MS = 10;

/** The file `estop` in the data directory: as long as it exists the emergency stop is engaged. */
export class StopFile {
  readonly path: string;
  readonly #clock: Clock;
  readonly #dir: string;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #told = false;
  #filling: Timer | undefined;

  constructor(dataDir: string, clock: Clock) {
    this.#dir = dataDir;
    this.path = join(dataDir, NAME);
    this.#clock = clock;
  }

  get exists(): boolean {
    // Anything of that name counts, also a link that leads nowhere.
    try {
      return lstatSync(this.path, { throwIfNoEntry: false }) !== undefined;
    } catch {
      return false;
    }
  }

  /**
   * `onFound` gets what is written in it, each time that it appears, and where it is there without being `heeded`: it
   * was taken away and put back between two looks.
   */
  start(onFound: (words: string) => void, heeded: () => boolean = () => true): void {
    const look = () => this.#look(onFound, heeded);
    this.#timer = this.#clock.every(LOOK_MS, look);
    try {
      this.#watcher = watch(this.#dir, { persistent: false }, (_event, name) => {
        if (name === null || name === NAME) look();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Then it is looked for.
    }
    // What is there at the start counts at once, also without a word.
    this.#look(onFound, heeded, false);
  }

  close(): void {
    this.#timer?.cancel();
    this.#filling?.cancel();
    this.#watcher?.close();
  }

  #look(onFound: (words: string) => void, heeded: () => boolean, isPatient = true): void {
    const { exists } = this;
    const appeared = exists && !(this.#told && heeded());
    const said = appeared ? words(this.path) : '';
    if (appeared && said === '' && isPatient) {
      this.#filling ??= this.#clock.after(FILL_MS, () => this.#look(onFound, heeded, false));
      return;
    }
    this.#filling?.cancel();
    this.#filling = undefined;
    this.#told = exists;
    if (appeared) onFound(said);
  }
}

/** In this very turn: nothing is to move until it is known why. A pipe, or what may not be read, says nothing. */
function words(path: string): string {
  try {
    if (!statSync(path).isFile()) return '';
    const file = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(WORDS_BYTES_MAX);
      return buffer.toString('utf8', 0, readSync(file, buffer, 0, WORDS_BYTES_MAX, 0)).trim();
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
