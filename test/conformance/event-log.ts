import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AgentEvent,
  type Clock,
  EVENT_PAYLOADS,
  type EventKind,
  type EventLog,
  formatUuidv7,
  GENESIS_HASH,
  hashInput,
  LIMITS,
  type NewEvent,
} from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { agentEventFault } from '../support/agent-event-fault.ts';
import { arbitraryOf } from '../support/schema-arbitrary.ts';

/** One place where a log can be opened, closed and opened again. */
export type EventLogFixture = {
  open(clock: Clock): Promise<EventLog>;
  dispose(): Promise<void>;
};

const RUN = formatUuidv7(1_700_000_000_000, new Uint8Array(10).fill(7));
const OTHER_RUN = formatUuidv7(1_700_000_000_001, new Uint8Array(10).fill(9));

function stopped(reason: string): NewEvent {
  return { kind: 'cell.stopped', payload: { reason } };
}
function phase(run_id: string, name: string): NewEvent {
  return { kind: 'run.phase', run_id, payload: { phase: name, reason: 'test' } };
}

/** What every EventLog keeps to. Times are those of a ManualClock. */
export function eventLogConformance(name: string, makeFixture: () => Promise<EventLogFixture>): void {
  describe(`EventLog: ${name}`, () => {
    let fixture: EventLogFixture;
    let clock: ManualClock;
    let log: EventLog;

    beforeEach(async () => {
      fixture = await makeFixture();
      clock = new ManualClock();
      log = await fixture.open(clock);
    });
    afterEach(async () => {
      await log.close();
      await fixture.dispose();
    });

    it('is empty at first', async () => {
      const reader = log.reader();
      expect(reader.read(0, 10)).toEqual([]);
      expect(reader.lastSeq()).toBe(0);
      reader.close();
      expect(await log.verify()).toMatchObject({ ok: true, events: 0, lastSeq: 0, lastHash: GENESIS_HASH });
      expect(await log.append([])).toEqual([]);
    });

    it('gives positions without gaps and chains every event to the one before', async () => {
      const appended = [
        ...(await log.append([stopped('a'), phase(RUN, 'explore')])),
        ...(await log.append([stopped('b')])),
      ];
      expect(appended.map((event) => event.seq)).toEqual([1, 2, 3]);
      expect(appended[0]?.prev_hash).toBe(GENESIS_HASH);
      expectChain(appended);
      for (const event of appended) expect(agentEventFault(event)).toBeUndefined();
      expect(log.reader().read(0, 10)).toEqual(appended);
    });

    it('keeps the order of appends that are not awaited, and reads what it acknowledged', async () => {
      const answers = Array.from({ length: 1500 }, (_, i) => log.append([stopped(String(i))]));
      const events = (await Promise.all(answers)).flat();
      expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
      expect(events.map((event) => (event.payload as { reason: string }).reason)).toEqual(
        events.map((_, i) => String(i)),
      );
      expect(readAll(log)).toEqual(events);
      expect((await log.verify()).ok).toBe(true);
    });

    it('reads by cursor, run and kind', async () => {
      await log.append([stopped('a'), phase(RUN, 'explore'), phase(OTHER_RUN, 'plan'), phase(RUN, 'done')]);
      const reader = log.reader();
      const seqs = (events: AgentEvent[]) => events.map((event) => event.seq);
      expect(seqs(reader.read(1, 2))).toEqual([2, 3]);
      expect(seqs(reader.read(4, 10))).toEqual([]);
      expect(seqs(reader.read(0, 10, { runId: RUN }))).toEqual([2, 4]);
      expect(seqs(reader.read(2, 10, { runId: RUN }))).toEqual([4]);
      expect(seqs(reader.read(0, 10, { kinds: ['cell.stopped'] }))).toEqual([1]);
      // Several kinds are one sequence, page by page, however they are named.
      const both = { kinds: ['run.phase', 'cell.stopped', 'run.phase'] } as const;
      expect(seqs(reader.read(0, 3, both))).toEqual([1, 2, 3]);
      expect(seqs(reader.read(3, 3, both))).toEqual([4]);
      expect(seqs(reader.read(0, 10, { runId: OTHER_RUN, kinds: ['run.phase', 'run.finished'] }))).toEqual([
        3,
      ]);
      expect(seqs(reader.read(0, 10, { kinds: [] }))).toEqual([]);
      reader.close();
    });

    it('refuses a payload that does not fit, naming kind and path, and writes nothing of that append', async () => {
      const bad: [NewEvent, RegExp][] = [
        [{ kind: 'cell.stopped', payload: { reason: 3 } } as never, /\/payload\/reason/],
        [{ kind: 'cell.stopped', payload: { reason: 'x', extra: 1 } } as never, /extra: unknown field/],
        [{ kind: 'cell.exploded', payload: {} } as never, /cell\.exploded/],
        [{ kind: 'toString', payload: {} } as never, /unknown event kind/],
        [{ kind: 'cell.stopped', run_id: 'seven', payload: { reason: 'x' } } as never, /run_id/],
        [{ kind: 'cell.stopped', payload: { reason: 'x' }, seq: 7 } as never, /seq: unknown field/],
        [{ kind: 'run.phase', payload: { phase: 'p', reason: '', facts: { x: Number.NaN } } }, /facts\/x/],
        [{ kind: 'run.phase', payload: { phase: 'p', reason: '', facts: { x: 1n } } }, /facts\/x/],
      ];
      for (const [event, message] of bad) {
        const answer = log.append([stopped('good'), event]);
        await expect(answer).rejects.toMatchObject({ code: 'schema.invalid', retryable: false });
        await expect(answer).rejects.toThrow(message);
      }
      expect(log.reader().lastSeq()).toBe(0);
      expect((await log.append([stopped('after')]))[0]?.seq).toBe(1);
    });

    it('refuses a payload above the limit and takes one at it', async () => {
      const facts = (bytes: number): NewEvent => {
        const empty = { phase: 'p', reason: '', facts: { text: '' } };
        const text = 'x'.repeat(bytes - JSON.stringify(empty).length);
        return { kind: 'run.phase', payload: { ...empty, facts: { text } } };
      };
      await expect(log.append([facts(LIMITS.EVENT_PAYLOAD_BYTES_MAX + 1)])).rejects.toMatchObject({
        code: 'schema.invalid',
      });
      await log.append([facts(LIMITS.EVENT_PAYLOAD_BYTES_MAX)]);
      expect(log.reader().lastSeq()).toBe(1);
    });

    it('refuses more than its queue holds at once and goes on with the rest', async () => {
      const many = Array.from({ length: LIMITS.LOG_QUEUE_EVENTS_MAX }, () => stopped('q'));
      const first = log.append([stopped('first')]);
      await expect(log.append(many)).rejects.toMatchObject({ code: 'cell.overloaded', retryable: true });
      expect((await first)[0]?.seq).toBe(1);
      expect((await log.append([stopped('next')]))[0]?.seq).toBe(2);
    });

    it('is not changed by a caller who changes the payload after the append', async () => {
      const payload = { phase: 'p', reason: 'before', facts: { n: 1 } };
      const answer = log.append([{ kind: 'run.phase', payload }]);
      payload.reason = 'after';
      payload.facts.n = 2;
      await answer;
      expect(log.reader().read(0, 1)[0]?.payload).toEqual({ phase: 'p', reason: 'before', facts: { n: 1 } });
    });

    it('goes on where it ended when it is opened again; ids rise although the clock went back', async () => {
      const before = await log.append([stopped('a'), stopped('b')]);
      await log.close();
      clock.jumpWall(-3_600_000_000_000n);
      log = await fixture.open(clock);
      const after = [...(await log.append([stopped('c')]))];
      clock.jumpWall(-3_600_000_000_000n);
      after.push(...(await log.append([stopped('d')])));
      const all = [...before, ...after];
      expectChain(all);
      expect(all.map((event) => event.seq)).toEqual([1, 2, 3, 4]);
      const ids = all.map((event) => event.event_id);
      expect([...ids].sort()).toEqual(ids);
      expect(BigInt(all[3]!.ts)).toBeLessThan(BigInt(all[0]!.ts));
      expect((await log.verify()).ok).toBe(true);
    });

    it('settles what is queued when it is closed, refuses what comes later, closes twice', async () => {
      const answers = Array.from({ length: 700 }, (_, i) => log.append([stopped(String(i))]));
      const closing = log.close();
      expect((await Promise.all(answers)).flat()).toHaveLength(700);
      await closing;
      await log.close();
      await expect(log.append([stopped('late')])).rejects.toMatchObject({ code: 'log.failed' });
      log = await fixture.open(clock);
      expect(log.reader().lastSeq()).toBe(700);
    });

    it('has one writer', async () => {
      await expect(fixture.open(clock)).rejects.toMatchObject({ code: 'host.data_dir_in_use' });
      await log.close();
      log = await fixture.open(clock);
    });

    it('gives back every valid event as it was, hashed as the contract says', async () => {
      const kinds = Object.keys(EVENT_PAYLOADS) as EventKind[];
      const event = fc
        .constantFrom(...kinds)
        .chain((kind) =>
          fc.record({ kind: fc.constant(kind), payload: arbitraryOf(EVENT_PAYLOADS[kind] as never) }),
        )
        .chain((value) =>
          fc.oneof(
            fc.constant(value),
            fc.constantFrom(RUN, OTHER_RUN).map((run_id) => ({ ...value, run_id })),
          ),
        );
      await fc.assert(
        fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 8 }), async (events) => {
          const before = log.reader().lastSeq();
          await log.append(events as NewEvent[]);
          const read = log.reader().read(before, 100);
          expect(read.map(({ kind, payload, run_id }) => ({ kind, payload, run_id }))).toEqual(
            events.map((e) => ({ run_id: undefined, ...JSON.parse(JSON.stringify(e)) })),
          );
          for (const e of read) expect(sha256(hashInput(e))).toBe(e.hash);
        }),
        { numRuns: 60 },
      );
      expect((await log.verify()).ok).toBe(true);
    });
  });
}

/** Reads a log to its end the way every consumer does. */
export function readAll(log: EventLog): AgentEvent[] {
  const reader = log.reader();
  const all: AgentEvent[] = [];
  for (;;) {
    const events = reader.read(all.at(-1)?.seq ?? 0, 400);
    if (events.length === 0) break;
    all.push(...events);
  }
  reader.close();
  return all;
}

export function expectChain(events: readonly AgentEvent[]): void {
  for (const [i, event] of events.entries()) {
    if (i > 0) expect(event.prev_hash).toBe(events[i - 1]!.hash);
    expect(event.hash).toBe(sha256(hashInput(event)));
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
