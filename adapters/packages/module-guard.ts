import { AsyncLocalStorage } from 'node:async_hooks';
import { join } from 'node:path';
import { type AppPackage, type CellContext, wordsOf } from '../../contract/core.ts';
import { CallNote, endedByItself, isolatedIn } from '../../io/call-note.ts';
import type { ShelfRules } from './shelf-rules.ts';

export type GuardParts = {
  /** Which module is being loaded, for the next process after the death of this one. */
  readonly note: CallNote;
  readonly report: (level: 'error', message: string, facts: Record<string, unknown>) => void;
  /** A package was isolated: what is offered has to be read again. */
  readonly isolated: (name: string) => void;
};

type Owner = {
  readonly guard: ModuleGuard;
  readonly key: string;
  readonly name: string;
  readonly folder: string;
  isLoaded: boolean;
};

/** Whose top level left something behind: timers and promises carry it on. */
const owner = new AsyncLocalStorage<Owner>();
let hooked = false;

/** Where the note and its book lie. */
export function guardFolder(dataDir: string): string {
  return join(dataDir, 'run', 'packages');
}

/**
 * Loads modules of packages so that one that loops, exits or uses up the memory ends this process once: the next
 * process finds its name in the note and does not load it again. Errors that its top level leaves behind isolate it
 * too, and end nothing.
 */
export class ModuleGuard {
  readonly #parts: GuardParts;

  constructor(parts: GuardParts) {
    this.#parts = parts;
  }

  /** Of a cell; it blames the module that its former process was loading. */
  static of(
    cell: Pick<CellContext, 'dataDir' | 'attempt' | 'startReason' | 'report'>,
    isolated: GuardParts['isolated'],
  ): ModuleGuard {
    const note = new CallNote(guardFolder(cell.dataDir), endedByItself(cell));
    return new ModuleGuard({ note, report: cell.report, isolated });
  }

  /** These rules, and no module runs without the guard. */
  rules(own: ShelfRules): ShelfRules {
    return {
      ...own,
      banned: (pkg) => this.banned(pkg),
      make: (read, folder) => this.load(read.pkg, folder, () => own.make(read, folder)),
    };
  }

  /** Runs `work`, which loads the module of this package from `folder`. Throws what it throws. */
  load<T>({ manifest, digest }: AppPackage, folder: string, work: () => T): T {
    const { name, module } = manifest;
    if (module === undefined) return work();
    const { note } = this.#parts;
    const key = keyOf(name, digest);
    hook();
    note.know(key, digest);
    const whose: Owner = { guard: this, key, name, folder, isLoaded: false };
    const { result, over } = note.begin(key, () => owner.run(whose, work));
    over();
    whose.isLoaded = true;
    // It was under suspicion, and loads: something else ended the former process.
    note.forgive(key);
    return result;
  }

  /** Why this version is not loaded; undefined: it may be. */
  banned({ manifest: { name, module }, digest }: AppPackage): string | undefined {
    const { note } = this.#parts;
    const key = keyOf(name, digest);
    return module !== undefined && note.isolated(key, digest) ? wordsFor(name, note.why(key)) : undefined;
  }

  /** An operator takes the package in again, in whatever version. */
  forgive(name: string): void {
    const { note } = this.#parts;
    for (const key of note.known()) if (key.startsWith(`${name}@`)) note.forgive(key);
  }

  /** An error that nothing caught: true where the top level of a module left it behind. Its package is isolated. */
  takesStray(thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin): boolean {
    const whose = owner.getStore();
    if (!whose) return false;
    const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
    if (origin === 'uncaughtException' && stack !== '' && !stack.includes(whose.folder)) return false;
    // What follows is work of the daemon: its errors are not those of the module.
    owner.exit(() => this.#isolate(whose, `left an error behind that nothing caught: ${wordsOf(thrown)}`));
    return true;
  }

  /** This process exits, and code that the top level of a module left behind may have asked for it. */
  processExits(): void {
    const whose = owner.getStore();
    if (whose?.isLoaded) this.#parts.note.isolate(whose.key, 'ended the runtime cell after it was loaded');
  }

  close(): void {
    this.#parts.note.close();
  }

  /** Once for each version: an interval fails again and again. */
  #isolate({ key, name, folder }: Owner, what: string): void {
    const { note, report, isolated } = this.#parts;
    if (note.why(key) !== undefined) return;
    note.isolate(key, what.slice(0, 400));
    report('error', `application package ${name}: its module ${what}`, { folder });
    isolated(name);
  }
}

/** The same verdict for a process that loads nothing itself, or only reads: the command line, a replay. */
export function bannedOnDisk(dataDir: string): (pkg: AppPackage) => string | undefined {
  const isolated = isolatedIn(guardFolder(dataDir));
  return ({ manifest: { name, module }, digest }) => {
    const found = module === undefined ? undefined : isolated(keyOf(name, digest), digest);
    return found && wordsFor(name, found.why);
  };
}

function hook(): void {
  if (hooked) return;
  hooked = true;
  process.once('exit', () => owner.getStore()?.guard.processExits());
}

function keyOf(name: string, digest: string): string {
  return `${name}@${digest}`;
}

function wordsFor(name: string, why = 'looped, or ended the runtime cell, while it loaded'): string {
  return `its module ${why}; change it, or take it in again: auraison app reload ${name}`;
}
