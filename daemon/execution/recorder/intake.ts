import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DropReason } from '../../../contract/core.ts';
import { memoryFolder, privateFolder } from '../../../io/memory-folder.ts';

/**
 * The intake: how many samples of each topic were accepted, and how many of them were accounted for, in
 * files in memory (tmpfs) that survive this process but never block it like a disk would. After a kill, the
 * difference is what was lost, exactly. After a power cut it is gone, and the ledger knows only what the
 * segments hold. Drops that no ledger beside the data has reported yet are there too. Three files per session:
 * `.names` (one `id topic` a line) and `.accepted` (u64 by channel id) by the main thread, `.account` (JSON) by
 * the recorder thread.
 */
export type Account = {
  readonly bag: string;
  /** Segments up to this one of the session are included in `accounted`; their messages need no counting. */
  readonly through: number;
  /** Written into those segments, or dropped and counted, by channel id. */
  readonly accounted: Readonly<Record<string, number>>;
  /** Where the segments of this session are, relative to the data directory. */
  readonly firstSegment: number;
  /** Absent where an older version was killed. */
  readonly drops?: readonly UntoldDrops[];
};

/** By reason. */
export type Reasons = Partial<Record<DropReason, number>>;
/** By topic. `segment`: its ledger reports them once it has its final name; undefined: none does yet. */
export type UntoldDrops = {
  readonly segment?: string;
  readonly topics: Readonly<Record<string, Reasons>>;
};

export type Leftover = {
  readonly session: string;
  readonly account: Account;
  /** By topic. */
  readonly accepted: ReadonlyMap<string, number>;
  readonly accounted: ReadonlyMap<string, number>;
};

/** The place for the intake of one data directory; made if it is not there. */
export function intakeFolder(dataDir: string, memoryRoot?: string): string {
  const folder = memoryFolder(dataDir, '', memoryRoot) ?? privateFolder(join(dataDir, 'bags', '.intake'));
  if (folder !== undefined) return folder;
  throw new Error(`no private directory is available for the intake of ${dataDir}`);
}

/** The main thread's side: counts in memory, written once per turn of the event loop. */
export class IntakeCounter {
  readonly #names: string;
  readonly #file: number;
  #counts = new BigUint64Array(64);
  #bytes = new Uint8Array(this.#counts.buffer);
  #used = 0;
  #isDirty = false;

  constructor(folder: string, session: string) {
    this.#names = join(folder, `${session}.names`);
    writeFileSync(this.#names, '');
    this.#file = openSync(join(folder, `${session}.accepted`), 'w', 0o600);
  }

  /** Never throws, as all of this but the constructor: what is recorded does not depend on the intake. */
  addChannel(id: number, topic: string): void {
    if (id >= this.#counts.length) {
      const larger = new BigUint64Array(Math.max(id + 1, this.#counts.length * 2));
      larger.set(this.#counts);
      this.#counts = larger;
      this.#bytes = new Uint8Array(larger.buffer);
    }
    this.#used = Math.max(this.#used, id + 1);
    try {
      appendFileSync(this.#names, `${id} ${topic}\n`);
    } catch {
      // Memory is full, or somebody removed the folder: after a kill this topic's loss would not be counted.
    }
  }

  accept(id: number): void {
    this.#counts[id]! += 1n;
    if (this.#isDirty) return;
    this.#isDirty = true;
    queueMicrotask(() => this.flush());
  }

  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      writeSync(this.#file, this.#bytes, 0, this.#used * 8, 0);
    } catch {
      // Memory is full: the count after a kill would be too low.
    }
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

/** Replaces the thread's side. Cheap: it is in memory. */
export function writeAccount(folder: string, session: string, account: Account): void {
  const path = join(folder, `${session}.account`);
  writeFileSync(`${path}.tmp`, JSON.stringify(account));
  renameSync(`${path}.tmp`, path);
}

/**
 * What this session accepted is settled otherwise; the drops in its account stay for the next reader of leftovers.
 */
export function forgetAccepted(folder: string, session: string): void {
  try {
    writeFileSync(join(folder, `${session}.accepted`), '');
  } catch {
    removeIntake(folder, session);
  }
}

/** With `isLast` the folder goes too, unless another session left something in it. */
export function removeIntake(folder: string, session: string, isLast = false): void {
  for (const kind of ['names', 'accepted', 'account', 'account.tmp']) {
    rmSync(join(folder, `${session}.${kind}`), { force: true });
  }
  if (!isLast) return;
  try {
    rmdirSync(folder);
  } catch {
    // Not empty.
  }
}

/** What former sessions left, unreadable ones removed; `current` is left out. */
export function readLeftovers(folder: string, current: string): Leftover[] {
  const sessions = readdirSync(folder)
    .filter((name) => name.endsWith('.accepted'))
    .map((name) => name.slice(0, -'.accepted'.length))
    .filter((session) => session !== current);
  return sessions.sort().flatMap((session) => {
    try {
      return [readLeftover(folder, session)];
    } catch {
      // Killed before it took its first sample, or spoilt: nothing can be said about it.
      removeIntake(folder, session);
      return [];
    }
  });
}

function readLeftover(folder: string, session: string): Leftover {
  const account = JSON.parse(readFileSync(join(folder, `${session}.account`), 'utf8')) as Account;
  const bytes = readFileSync(join(folder, `${session}.accepted`));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const accepted = new Map<string, number>();
  const accounted = new Map<string, number>();
  for (const line of readFileSync(join(folder, `${session}.names`), 'utf8').split('\n')) {
    const space = line.indexOf(' ');
    if (space < 0) continue;
    const id = Number(line.slice(0, space));
    const topic = line.slice(space + 1);
    const count = id * 8 + 8 <= bytes.length ? Number(view.getBigUint64(id * 8, true)) : 0;
    accepted.set(topic, (accepted.get(topic) ?? 0) + count);
    accounted.set(topic, (accounted.get(topic) ?? 0) + (account.accounted[id] ?? 0));
  }
  return { session, account, accepted, accounted };
}
