import { cpSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type CommitThread, SqliteEventLog } from '../../adapters/event-log/index.ts';
import type { AgentEvent, NewEvent } from '../../contract/index.ts';
import { expectChain, readAll } from '../conformance/event-log.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

type Step =
  | { readonly do: 'append'; readonly sizes: readonly number[] }
  | { readonly do: 'reopen' }
  | { readonly do: 'crash'; readonly inFlight: readonly number[] }
  | { readonly do: 'clock'; readonly seconds: number };

const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 8 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: sizes.map((s): Step => ({ do: 'append', sizes: s })) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'reopen' }) },
  { weight: 2, arbitrary: sizes.map((s): Step => ({ do: 'crash', inFlight: s })) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: -7200, max: 7200 }).map((seconds): Step => ({ do: 'clock', seconds })),
  },
);

/** One log going through appends, restarts, clock jumps and crashes; knows what it was promised. */
class Life {
  readonly clock = new ManualClock();
  readonly #thread: CommitThread;
  readonly #root: string;
  #generation = 0;
  #log!: SqliteEventLog;
  #promised: AgentEvent[] = [];
  #counter = 0;

  constructor(root: string, thread: CommitThread) {
    this.#root = root;
    this.#thread = thread;
  }

  async open(): Promise<void> {
    const { clock } = this;
    this.#log = await SqliteEventLog.open({
      dataDir: this.#dir(),
      cell: 'link',
      clock,
      thread: this.#thread,
    });
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'clock') this.clock.jumpWall(BigInt(step.seconds) * 1_000_000_000n);
    else if (step.do === 'append') await Promise.all(this.#appends(step.sizes));
    else if (step.do === 'crash') await this.#crash(step.inFlight);
    else {
      await this.#log.close();
      await this.open();
    }
  }

  /** What was promised is there, in order, chained, and nothing is there twice. */
  async judge(): Promise<void> {
    const stored = readAll(this.#log);
    expectChain(stored);
    expect(stored.map((event) => event.seq)).toEqual(stored.map((_, i) => i + 1));
    const ids = stored.map((event) => event.event_id);
    expect([...ids].sort()).toEqual(ids);
    for (const event of this.#promised) expect(stored[event.seq - 1]?.hash).toBe(event.hash);
    expect((await this.#log.verify()).fault).toBeUndefined();
    await this.#log.close();
  }

  #appends(counts: readonly number[]): Promise<void>[] {
    return counts.map(async (count) => {
      const events = Array.from(
        { length: count },
        (): NewEvent => ({ kind: 'cell.stopped', payload: { reason: String(++this.#counter) } }),
      );
      this.#promised.push(...(await this.#log.append(events)));
    });
  }

  /** Goes on with the files as they are while appends are in flight: what a killed process leaves. */
  async #crash(inFlight: readonly number[]): Promise<void> {
    const settled = Promise.allSettled(this.#appends(inFlight));
    if (inFlight.length % 2 === 1) await new Promise<void>((resolve) => setImmediate(resolve));
    const before = this.#promised.slice();
    const from = this.#dir();
    this.#generation += 1;
    cpSync(from, this.#dir(), { recursive: true });
    const old = this.#log;
    await settled;
    await old.close();
    this.#promised = before;
    await this.open();
  }

  #dir(): string {
    return join(this.#root, String(this.#generation));
  }
}

it.each(['caller', 'worker'] satisfies CommitThread[])(
  'appends, restarts, clock jumps and crashes in any order keep the promises and the chain (%s)',
  async (thread) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const root = await mkdtemp(join(tmpdir(), 'auraison-life-'));
        try {
          const life = new Life(root, thread);
          await life.open();
          for (const next of steps) await life.take(next);
          await life.judge();
        } finally {
          await rm(root, { recursive: true, force: true });
        }
      }),
      { numRuns: thread === 'caller' ? 40 : 12 },
    );
  },
  60_000,
);
