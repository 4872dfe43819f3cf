import { readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventPayload, LedgerLine } from '../../../contract/core.ts';

type Losses = EventPayload<'losses.recorded'>;

/**
 * What of the ledger of the routes is not in the log yet, in a file in memory that survives a killed process. The
 * next one tells it: what was settled as it was, what was in flight as lost by the crash. The counts of the last
 * tenth of a second before a kill, and of the time since the last event before a power cut, are not known.
 */
export class CrashNote {
  readonly #folder: string;
  readonly #path: string;
  #last = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, 'routes.json');
  }

  /** Replaces the note; nothing is written while nothing changed. Never throws. */
  write(untold: readonly LedgerLine[]): void {
    const text = untold.length === 0 ? '' : JSON.stringify(untold);
    if (text === this.#last) return;
    this.#last = text;
    try {
      if (text === '') rmSync(this.#path, { force: true });
      else {
        writeFileSync(`${this.#path}.tmp`, text, { mode: 0o600 });
        renameSync(`${this.#path}.tmp`, this.#path);
      }
    } catch {
      // Memory is full: only the count after a kill suffers.
    }
  }

  /** Everything is told. The folder goes too, unless somebody else has something in it. */
  close(): void {
    this.write([]);
    try {
      rmdirSync(this.#folder);
    } catch {
      // Not empty.
    }
  }

  /** What a former life left, as events; the note is gone afterwards. A spoilt one says nothing. */
  take(): Losses[] {
    let lines: unknown;
    try {
      lines = JSON.parse(readFileSync(this.#path, 'utf8'));
    } catch {
      return [];
    }
    const hops = new Map<string, Losses['topics'][number][]>();
    for (const line of Array.isArray(lines) ? lines : []) {
      if (!isLine(line)) continue;
      const { topic, hop, received, forwarded = 0, dropped } = line;
      const settled = forwarded + Object.values(dropped).reduce((sum, count) => sum + count, 0);
      const crash = Math.max(0, received - settled);
      const topics = hops.get(hop!) ?? [];
      topics.push({
        topic,
        received: settled + crash,
        forwarded,
        written: 0,
        dropped: { ...dropped, ...(crash > 0 ? { crash } : {}) },
      });
      hops.set(hop!, topics);
    }
    rmSync(this.#path, { force: true });
    return [...hops].map(([hop, topics]) => ({ hop, topics }));
  }
}

function isLine(value: unknown): value is LedgerLine {
  if (typeof value !== 'object' || value === null) return false;
  const { topic, hop, received, forwarded, dropped } = value as Record<string, unknown>;
  const isCount = (count: unknown) => Number.isSafeInteger(count) && (count as number) >= 0;
  return (
    typeof topic === 'string' &&
    typeof hop === 'string' &&
    isCount(received) &&
    isCount(forwarded) &&
    typeof dropped === 'object' &&
    dropped !== null &&
    Object.values(dropped).every(isCount)
  );
}
