import { createReadStream } from 'node:fs';
import { type AgentEvent, EdgeError, LIMITS, type LogVerdict, parseJson } from '../../contract/core.ts';
import { ChainVerifier } from './chain-verifier.ts';
import { cutOf, isCheckpointSigned, isSigned, keyIdOf, type Signature } from './checkpoint.ts';
import { EXPORT_FORMAT, type ExportEnd, type ExportHead } from './log-export.ts';

/** A longer line is refused: the longest are one event, and the checkpoints of years. */
const LINE_BYTES_MAX = 4 * LIMITS.EVENT_PAYLOAD_BYTES_MAX;

export type ExportVerdict = LogVerdict & {
  readonly first: number;
  /** Start of the SHA-256 of the key that signed the export; absent: it is not signed. */
  readonly key_id?: string;
  /** When it was exported, nanoseconds of wall time. */
  readonly made_ts?: string;
};

type ExportLine =
  | ExportHead
  | {
      readonly event: Omit<AgentEvent, 'hash' | 'prev_hash'>;
      readonly hash: string;
      readonly prev_hash: string;
    }
  | ({ readonly end: ExportEnd } & Partial<Signature>);

/**
 * Recomputes the chains of an exported file, and checks who signed it; needs nothing else. A chain that does not hold,
 * a line that is missing and a file that was truncated are verdicts that name the place. Rejects with `log.failed`
 * where the file cannot be read, or is not an export.
 */
export async function verifyExport(path: string): Promise<readonly ExportVerdict[]> {
  const verdicts: ExportVerdict[] = [];
  let open: OpenLog | undefined;
  let at = 0;
  try {
    for await (const text of lines(path)) {
      at++;
      const line = parsed(text, path, at, open);
      if (line === undefined) continue;
      if ('format' in line) {
        if (open) verdicts.push(open.truncated());
        open = new OpenLog(line);
      } else if (!open) throw notAnExport(path, `line ${at} stands before the first log`);
      else if ('event' in line) open.add(line);
      else {
        verdicts.push(open.ended(line));
        open = undefined;
      }
    }
  } catch (thrown) {
    if (thrown instanceof EdgeError) throw thrown;
    throw notAnExport(path, (thrown as Error).message, thrown);
  }
  if (open) verdicts.push(open.truncated());
  if (verdicts.length === 0) throw notAnExport(path, 'no log is in it');
  return verdicts;
}

/** The log of an export that is being read. */
class OpenLog {
  readonly #head: ExportHead;
  readonly #chain: ChainVerifier;

  constructor(head: ExportHead) {
    const { cell, epoch, first, prev_hash, checkpoints } = head;
    this.#head = head;
    this.#chain = new ChainVerifier(cell);
    for (const row of checkpoints) {
      if (!isCheckpointSigned(row, cell, epoch))
        this.#chain.refuse(row.through, `the checkpoint at ${row.through} is not signed by its key`);
      if (row.through === first - 1 && row.hash !== prev_hash)
        this.#chain.refuse(first, `row ${first} does not follow the checkpoint at ${row.through}`);
      this.#chain.cutAt(cutOf(row));
    }
    if (first > 1) this.#chain.startAfter(first - 1, prev_hash);
  }

  add({ event, hash, prev_hash }: Extract<ExportLine, { event: unknown }>): void {
    if (event.seq === 1 && event.event_id !== this.#head.epoch)
      this.#chain.refuse(1, 'the first event is not the one that names this log');
    this.#chain.add({ ...event, hash, prev_hash } as AgentEvent);
  }

  refuse(message: string): void {
    this.#chain.refuse(this.#chain.verdict().lastSeq + 1, message);
  }

  ended({ end, public_key, signature }: Extract<ExportLine, { end: unknown }>): ExportVerdict {
    const { cell, epoch, first } = this.#head;
    const { events, lastSeq, lastHash } = this.#chain.verdict();
    const found = { cell, epoch, first, through: lastSeq, events, hash: lastHash };
    const differs = (Object.keys(found) as (keyof typeof found)[]).find((key) => end[key] !== found[key]);
    if (differs)
      this.refuse(`the end of the export says ${differs} ${end[differs]}, found ${found[differs]}`);
    if (public_key === undefined || signature === undefined) return this.#verdict({ made_ts: end.made_ts });
    if (!isSigned(end, { public_key, signature })) this.refuse('the export is not signed by its key');
    return this.#verdict({ made_ts: end.made_ts, key_id: keyIdOf({ public_key }) });
  }

  truncated(): ExportVerdict {
    this.refuse('the export ends here: its last lines are missing');
    return this.#verdict({});
  }

  #verdict(more: Pick<ExportVerdict, 'key_id' | 'made_ts'>): ExportVerdict {
    return { ...this.#chain.verdict(), first: this.#head.first, ...more };
  }
}

/** Undefined: the line is broken, and the log that it belongs to says so. */
function parsed(text: string, path: string, at: number, open: OpenLog | undefined): ExportLine | undefined {
  let line: ExportLine | undefined;
  try {
    line = parseJson(text) as ExportLine;
  } catch {
    // Also the half line of a truncated file.
  }
  if (typeof line === 'object' && line !== null) {
    if ('format' in line && line.format === EXPORT_FORMAT) return line;
    if (open && ('event' in line || 'end' in line)) return line;
  }
  if (!open) throw notAnExport(path, `line ${at} is not the start of a log`);
  open.refuse(`line ${at} is not valid JSON of an export`);
  return undefined;
}

async function* lines(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8' })) {
    const parts = (rest + String(piece)).split('\n');
    rest = parts.pop()!;
    yield* parts;
    if (rest.length > LINE_BYTES_MAX) throw notAnExport(path, 'a line is longer than an event may be');
  }
  if (rest !== '') yield rest;
}

function notAnExport(path: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('log.failed', {
    ...{ operation: 'log.verify', subject: path, retryable: false, cause },
    message: `${path} is not an export of logs: ${message}`,
    hint: '`auraison log export FILE` writes one',
  });
}
