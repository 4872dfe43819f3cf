import { readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventPayload, LedgerLine } from '../../../contract/core.ts';

type Losses = EventPayload<'losses.recorded'>;

/** What one event of the log takes: topics of a hop, characters of a name and of a reason. */
const LINES_MAX = 4_096;
const NAME_CHARS_MAX = 256;
const REASON_CHARS_MAX = 64;

/**
 * What of the ledger of the routes is not in the log yet, in a file in memory that survives a killed process. The
 * next process reports it: what was settled as it was, what was in flight as lost by the crash. The counts of the
 * last tenth of a second before a kill, and of the time since the last event before a power cut, are not known; those
 * that were on their way into the log at a kill may be reported twice, since nothing is crossed out before it is there.
 */
export class CrashNote {
  readonly #folder: string;
  readonly #path: string;
  /**
   * Of lives before this one, as their note has it: it stays in this note until the log has it. Undefined: not read
   * yet.
   */
  #former: readonly LedgerLine[] | undefined;
  #last = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, 'routes.json');
  }

  /** Replaces the note; nothing is written while nothing changed. Never throws. */
  write(untold: readonly LedgerLine[]): void {
    const lines = [...this.#formerLines(), ...untold];
    const text = lines.length === 0 ? '' : JSON.stringify(lines);
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

  /**
   * Leaves what is not reported, for the next life. Without it the folder goes too, unless somebody has something in
   * it.
   */
  close(untold: readonly LedgerLine[]): void {
    this.write(untold);
    try {
      rmdirSync(this.#folder);
    } catch {
      // Not empty.
    }
  }

  /** What former lives left, as events, until it is reported. A spoilt note says nothing. */
  former(): Losses[] {
    const hops = new Map<string, Losses['topics'][number][]>();
    for (const line of this.#formerLines()) {
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
    return [...hops].map(([hop, topics]) => ({ hop, topics }));
  }

  /** The log has what former lives left: the next note is without it. */
  formerTold(): void {
    this.#former = [];
  }

  #formerLines(): readonly LedgerLine[] {
    this.#former ??= this.#read();
    return this.#former;
  }

  #read(): LedgerLine[] {
    try {
      const text = readFileSync(this.#path, 'utf8');
      const lines: unknown = JSON.parse(text);
      // What is on disk is the last that was written, by any process.
      this.#last = text;
      return Array.isArray(lines) ? lines.filter(isLine).slice(-LINES_MAX) : [];
    } catch {
      return [];
    }
  }
}

function isLine(value: unknown): value is LedgerLine {
  if (typeof value !== 'object' || value === null) return false;
  const { topic, hop, received, forwarded, dropped } = value as Record<string, unknown>;
  const isName = (name: unknown) => typeof name === 'string' && name.length <= NAME_CHARS_MAX;
  const isCount = (count: unknown) => Number.isSafeInteger(count) && (count as number) >= 0;
  return (
    isName(topic) &&
    isName(hop) &&
    isCount(received) &&
    isCount(forwarded) &&
    typeof dropped === 'object' &&
    dropped !== null &&
    Object.keys(dropped).every((reason) => reason.length <= REASON_CHARS_MAX) &&
    Object.values(dropped).every(isCount)
  );
}
