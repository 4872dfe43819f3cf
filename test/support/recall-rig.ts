import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FolderShelf, SqliteRecallIndex } from '../../adapters/recall/index.ts';
import {
  type CellName,
  IdSource,
  type Intent,
  type NewEvent,
  type RecallIndex,
  type RecallRequest,
  type TextEmbedder,
} from '../../contract/index.ts';
import { RecallDesk } from '../../daemon/memory/recall-desk.ts';
import type { FindEmbedder } from '../../daemon/memory/recall-vectors.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { fixedId } from './sample-events.ts';

/** Who asks: an agent of the owner where nothing else is said. */
export const asker = (tenant = 'local', all = false) => ({ tenant, principal: 'test', all });

/** A run of a tenant. */
export function runOf(n: number, tenant = 'local'): NewEvent {
  const intent = {
    ...{ intent_id: fixedId(n + 1), type: 'maze/find_exit', params: {}, targets: [], priority: 0 },
    policy_ctx: { tenant, principal: 'test', roles: ['operator'], origin: 'cli' },
  } as unknown as Intent;
  return { kind: 'intent.accepted', run_id: fixedId(n), payload: { intent, app: 'turtlebot-maze' } };
}

/** A note of a run, as the two events of its call. */
export function noteOf(n: number, text: string, ok = true, run = 0): NewEvent[] {
  const call = { call_id: fixedId(n), tool: 'memory.note' };
  const run_id = fixedId(run);
  const denied = {
    code: 'policy.denied',
    operation: 'x',
    subject: 'x',
    message: '',
    hint: '',
    retryable: false,
  };
  const called = {
    ...call,
    args: { text, tags: ['place'] },
    effect: 'write',
    replay: 'safe',
    deadline_ms: 1,
  };
  const returned = ok ? { ok, result: { noted: true } } : { ok, error: denied };
  return [
    { kind: 'tool.called', run_id, payload: called },
    { kind: 'tool.returned', run_id, payload: { ...call, ...returned, duration_ms: 1 } },
  ] as NewEvent[];
}

/** What a person wrote about a recording, or took back. */
export const annotation = (n: number, text: string, removed = false): NewEvent => ({
  kind: 'recording.annotated',
  payload: {
    ...{
      annotation_id: fixedId(n),
      bag: 'tuesday',
      start_ns: '1',
      end_ns: '2',
      label: 'door',
      text,
      removed,
    },
    by: 'ada',
  },
});

/**
 * A model for tests that knows synonyms: each group of words is one direction, any other word none. It counts what it
 * computed.
 */
export class WordEmbedder implements TextEmbedder {
  readonly model;
  readonly #groups: readonly (readonly string[])[];
  computed = 0;
  rested = 0;
  fault: Error | undefined;

  constructor(groups: readonly (readonly string[])[], sha256 = 'a'.repeat(64)) {
    this.#groups = groups;
    this.model = { name: 'words', sha256 };
  }

  async embed(texts: readonly string[]): Promise<readonly Float32Array[]> {
    if (this.fault) throw this.fault;
    this.computed += texts.length;
    return texts.map((text) => {
      const values = this.#groups.map((group) => (group.some((word) => text.includes(word)) ? 1 : 0));
      // A direction of its own for what is in no group.
      const all = Float32Array.from([...values, values.includes(1) ? 0 : 1]);
      const length = Math.hypot(...all);
      return all.map((value) => value / length);
    });
  }

  rest(): void {
    this.rested += 1;
  }
}

/** The desk of recall over logs in memory and an index on the disk. */
export class RecallRig {
  readonly clock = new SystemClock();
  readonly folder = mkdtempSync(join(tmpdir(), 'recall-'));
  readonly disks = new Map<CellName, MemoryLogDisk>();
  readonly logs = new Map<CellName, MemoryEventLog>();
  readonly opened: RecallIndex[] = [];
  documents: readonly string[] = [];
  findEmbedder: FindEmbedder = () => ({ why: 'no model' });
  restMs = 60_000;
  #desk: RecallDesk | undefined;
  #count = 0;

  get desk(): RecallDesk {
    this.#desk ??= new RecallDesk(
      {
        clock: this.clock,
        emit: async (events) => void (await this.log('memory').append(events)),
        report: () => {},
      },
      {
        openIndex: () => {
          const index = SqliteRecallIndex.open(this.path);
          this.opened.push(index);
          return index;
        },
        openReader: (cell) => this.log(cell).reader(),
        shelf: new FolderShelf({ places: this.documents, bytesMax: 10_000 }),
        findEmbedder: () => this.findEmbedder(),
        ids: new IdSource(
          () => Date.now(),
          (length) => new Uint8Array(length).fill(++this.#count),
        ),
        restMs: this.restMs,
      },
    );
    return this.#desk;
  }

  get path(): string {
    return join(this.folder, 'recall', 'index.sqlite');
  }

  log(cell: CellName): MemoryEventLog {
    const known = this.logs.get(cell);
    if (known) return known;
    const disk = this.disks.get(cell) ?? new MemoryLogDisk();
    const log = new MemoryEventLog({ cell, clock: this.clock, disk });
    this.disks.set(cell, disk);
    this.logs.set(cell, log);
    return log;
  }

  async say(...events: readonly NewEvent[]): Promise<void> {
    await this.log('runtime').append(events);
  }

  ask(question: string | undefined, more: Partial<RecallRequest> = {}) {
    return this.desk.ask({ ...(question === undefined ? {} : { question }), by: asker(), ...more });
  }

  /** The texts that were found, best first. */
  async found(question: string | undefined, more: Partial<RecallRequest> = {}): Promise<string[]> {
    return (await this.ask(question, more)).texts.map(({ text }) => text.split('\n')[0]!);
  }

  /** The desk of the next start, on the same files. */
  async restart(): Promise<void> {
    await this.#desk?.stop();
    this.#desk = undefined;
  }

  async stop(): Promise<void> {
    await this.#desk?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
