import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const PREFIX = 'auraison-sandbox-';

/** A private folder for what one sandbox needs on the host: arguments, secrets, sockets. Mode 0700, removed at its end. */
export class Scratch {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Short paths: addresses of sockets have 107 characters. Throws what the file system throws. */
  static make(base = process.env['XDG_RUNTIME_DIR'] || tmpdir()): Scratch {
    return new Scratch(mkdtempSync(join(base, `${PREFIX}${process.pid}-`)));
  }

  /** The path of a file of mode 0600 that holds `text`. */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  folder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /** Never throws: what cannot be removed now is swept later. */
  remove(): void {
    try {
      rmSync(this.path, { recursive: true, force: true });
    } catch {
      // A killed runtime may still hold a mount there; `sweepScratch` comes again.
    }
  }
}

/** Removes what daemons left that were killed. Only folders of this user, whose process is gone. Never throws. */
export function sweepScratch(base = process.env['XDG_RUNTIME_DIR'] || tmpdir()): number {
  let swept = 0;
  for (const name of namesIn(base)) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-[A-Za-z0-9]+$`).exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const path = join(base, name);
    try {
      const { uid } = lstatSync(path);
      if (uid !== process.getuid?.()) continue;
      rmSync(path, { recursive: true, force: true });
      swept += 1;
    } catch {
      // Another daemon swept it.
    }
  }
  return swept;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
