import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const BOOK = 'book.json';
/** Deaths of its process that an extension may be under suspicion for before it is isolated. */
const STRIKES_MAX = 2;

/** Entries that the book keeps; the oldest goes first. */
const BOOK_MAX = 256;

type Entry = {
  readonly sha256: string;
  readonly strikes: number;
  readonly isolated: boolean;
  /** Of one that was isolated for something else than a call: what it did. */
  readonly why?: string;
};
type Book = Record<string, Entry>;

/**
 * Which code of others (an extension, the module of a package) is being called, where the death of this process leaves it behind: a loop without an end cannot be
 * interrupted from inside; the supervisor kills the cell, and the next one must not run into it again. Nothing is
 * synced: a killed process loses nothing that was written, and after a power cut no code is to blame.
 */
export class CallNote {
  readonly #folder: string;
  readonly #file: number;
  readonly #book: Book;
  readonly #pending = new Map<string, number>();
  readonly #hashes = new Map<string, string>();
  #running: string | undefined;
  readonly #loading = new Set<string>();

  /** `restarted`: the process before this one died while its daemon continued, and no other process killed it. */
  constructor(folder: string, restarted: boolean) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#book = readBook(folder);
    const left = read<{ running?: string; pending?: string[]; hashes?: Record<string, string> }>(this.#path);
    if (left) this.#blame(left, restarted);
    this.#file = openSync(this.#path, 'w', 0o600);
  }

  /** It was being called when its process died, and has not changed since. */
  isolated(key: string, sha256: string): boolean {
    return isIsolated(this.#book, key, sha256);
  }

  /** What it did, where it was isolated by `isolate`. */
  why(key: string): string | undefined {
    return this.#book[key]?.why;
  }

  /** Isolates it now, for what it did outside of a call. */
  isolate(key: string, why: string): void {
    const sha256 = this.#hashes.get(key) ?? '';
    this.#book[key] = { sha256, strikes: STRIKES_MAX, isolated: true, why };
    this.#save();
  }

  /** Every key with an entry in the book. */
  known(): readonly string[] {
    return Object.keys(this.#book);
  }

  /** A person gives it another chance. */
  forgive(key: string): void {
    if (!(key in this.#book)) return;
    delete this.#book[key];
    this.#save();
  }

  /** Its code as it is called from now on. */
  know(key: string, sha256: string): void {
    this.#hashes.set(key, sha256);
  }

  /** Starts `work` under the name of an extension, and keeps the name until what it gave has settled or timed out. */
  begin<T>(key: string, work: () => T): { readonly result: T; readonly over: () => void } {
    const before = this.#running;
    this.#running = key;
    this.#pending.set(key, (this.#pending.get(key) ?? 0) + 1);
    this.#write();
    let open = true;
    const over = () => {
      if (!open) return;
      open = false;
      const left = (this.#pending.get(key) ?? 1) - 1;
      if (left > 0) this.#pending.set(key, left);
      else this.#pending.delete(key);
      this.#write();
    };
    try {
      return { result: work(), over };
    } catch (thrown) {
      over();
      throw thrown;
    } finally {
      this.#running = before;
      this.#write();
    }
  }

  /**
   * This one is loaded until the returned function is called. Code that is loaded runs behind awaits: where nothing else
   * is pending, it is what runs.
   */
  loads(key: string): () => void {
    this.#loading.add(key);
    return () => {
      this.#loading.delete(key);
      this.#write();
    };
  }

  /** It was pending when a former process died, among others or not for certain. */
  isSuspected(key: string): boolean {
    return (this.#book[key]?.strikes ?? 0) > 0;
  }

  /** The process ends in order: no code is to blame for anything. */
  close(): void {
    this.#pending.clear();
    this.#loading.clear();
    this.#write();
    closeSync(this.#file);
    for (const [key, entry] of Object.entries(this.#book)) if (!entry.isolated) delete this.#book[key];
    this.#save();
  }

  get #path(): string {
    return join(this.#folder, 'calls.json');
  }

  #blame(
    left: { running?: string; pending?: string[]; hashes?: Record<string, string> },
    restarted: boolean,
  ): void {
    const suspects = left.running === undefined ? (left.pending ?? []) : [left.running];
    for (const key of suspects) {
      const sha256 = left.hashes?.[key] ?? '';
      const known = this.#book[key];
      const strikes = (known?.sha256 === sha256 ? known.strikes : 0) + 1;
      // Caught in the act by a supervisor that continued; anything else may have been a power cut.
      const isolated = (restarted && left.running === key) || strikes >= STRIKES_MAX;
      this.#book[key] = { sha256, strikes, isolated };
    }
    if (suspects.length > 0) this.#save();
  }

  #save(): void {
    const path = join(this.#folder, BOOK);
    for (const key of Object.keys(this.#book).slice(0, -BOOK_MAX)) delete this.#book[key];
    try {
      writeFileSync(`${path}.tmp`, JSON.stringify(this.#book), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
    } catch {
      // The same.
    }
  }

  #write(): void {
    const pending = [...this.#pending.keys()];
    const hashes = Object.fromEntries(pending.map((key) => [key, this.#hashes.get(key) ?? '']));
    const sure = pending.length === 1 && this.#loading.has(pending[0]!) ? pending[0] : undefined;
    const text =
      pending.length === 0 ? '{}' : JSON.stringify({ running: this.#running ?? sure, pending, hashes });
    // One write: a process that dies leaves the old words or the new ones, at worst with a tail that is cut below.
    try {
      const length = writeSync(this.#file, `${text}\n`, 0);
      ftruncateSync(this.#file, length);
    } catch {
      // A full disk takes the note away, not the extension.
    }
  }
}

/** What is isolated by the book of this folder; nothing is written. For processes that do not own it. */
export function isolatedIn(
  folder: string,
): (key: string, sha256: string) => { readonly why?: string } | undefined {
  const book = readBook(folder);
  return (key, sha256) => (isIsolated(book, key, sha256) ? book[key] : undefined);
}

/**
 * Whether the former process of a restarted cell ended by what ran in it: it was silent, exited or aborted. Any process
 * of the host may have sent SIGKILL or SIGTERM: then the code that was being called is only under suspicion.
 */
export function endedByItself({
  attempt,
  startReason,
}: {
  readonly attempt: number;
  readonly startReason: string;
}): boolean {
  return attempt > 0 && !/^signal SIG(KILL|TERM)\b/.test(startReason);
}

function isIsolated(book: Book, key: string, sha256: string): boolean {
  const known = book[key];
  return known?.isolated === true && known.sha256 === sha256;
}

function readBook(folder: string): Book {
  return read<Book>(join(folder, BOOK)) ?? {};
}

function read<T>(path: string): T | undefined {
  try {
    // Behind the first line may lie the end of a longer one.
    return JSON.parse(readFileSync(path, 'utf8').split('\n', 1)[0]!) as T;
  } catch {
    return undefined;
  }
}
