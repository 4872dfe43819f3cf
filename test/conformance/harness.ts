import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import type { PolicyContext, PolicyHook, Tool } from '../../contract/index.ts';
import { type ReplayParts, replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';
import type { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { AskFirst } from '../support/approval-rig.ts';
import { type Cut, PERSON, type RuntimeRig } from '../support/runtime-rig.ts';

export type PlannedCall = { readonly tool: string; readonly args: { readonly n: number } };

export type WaySetup = {
  /** Tools that the run may use. */
  readonly tools: readonly Tool[];
  /** What the run does: these calls one after another, each once, then it succeeds. A refused call ends it as failed. */
  readonly calls: readonly PlannedCall[];
  readonly hooks?: readonly PolicyHook[];
  readonly disk?: MemoryLogDisk;
  readonly clock?: ManualClock;
  readonly cut?: Cut;
};

/** A cell, and with what its runs are done again from their record. */
export type HarnessRig = { readonly rig: RuntimeRig; readonly replay: () => ReplayParts };

/** One kind of harness: a runtime cell that is up and serves the intent `patrol/go` in this way. */
export type HarnessWay = (setup: WaySetup) => Promise<HarnessRig>;

const LEAD: PolicyContext = { tenant: 'lab', principal: 'lea', roles: ['operator'], origin: 'cli' };
const input = Type.Object({ n: Type.Integer() }, { additionalProperties: false });

/** A tool that leaves a trace; `hold`: it does not answer before its signal aborts. */
function traced(name: string, done: string[], more: Partial<Tool['spec']> = {}, hold = false): Tool {
  return {
    spec: {
      ...{ name, description: name, input, effect: 'write', replay: 'never', deadlineMs: 60_000 },
      ...{ origin: 'house', ...more },
    },
    run: async ({ n }, { signal }) => {
      done.push(`${name} ${n}`);
      if (hold)
        await new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
        );
      return { result: { n: n as number } };
    },
  };
}

/** The run again, from its record alone: the same to the last byte, and nothing is done. */
async function replayed({ rig, replay }: HarnessRig, done: readonly string[], what = ''): Promise<void> {
  const before = [...done];
  const outcome = await replayRun(replay(), rig.of('run.queued')[0]!.run_id!);
  expect([what, outcome.divergence, outcome.verdict]).toEqual([what, undefined, 'identical']);
  expect(outcome.replayed_sha256).toBe(outcome.recorded_sha256);
  expect(done, what).toEqual(before);
}

const send = (rig: RuntimeRig) => rig.cell.submit({ type: 'patrol/go' }, PERSON);

/** What every harness owes the run: one gate, one answer for each call, an end that a person can order at any time, a replay. */
export function harnessConformance(name: string, way: HarnessWay): void {
  describe(`Harness: ${name}`, () => {
    it('makes each effect through the gate: judged, logged, done, answered, in this order', async () => {
      const done: string[] = [];
      const calls = [1, 2, 3].map((n) => ({ tool: 'count.up', args: { n } }));
      const made = await way({ tools: [traced('count.up', done)], calls });
      const { rig } = made;
      await send(rig);
      await rig.finished();
      expect(done).toEqual(['count.up 1', 'count.up 2', 'count.up 3']);
      const gate = ['tool.called', 'tool.returned'];
      const kinds = rig.events
        .filter(
          (event) =>
            (event.kind === 'tool.called' || event.kind === 'tool.returned') &&
            event.payload.tool === 'count.up',
        )
        .map(({ kind }) => kind);
      expect(kinds).toEqual([...gate, ...gate, ...gate]);
      expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(['succeeded']);
      expect(rig.events.filter(({ run_id }) => run_id !== undefined).at(-1)?.kind).toBe('run.finished');
      await replayed(made, done);
    });

    it('does nothing that a policy denies, and its run hears why', async () => {
      const done: string[] = [];
      const deny: PolicyHook = {
        name: 'deny',
        decide: async ({ subject }) => ({
          decision: subject === 'count.up' ? 'deny' : 'allow',
          reason: 'not at night',
        }),
      };
      const made = await way({
        tools: [traced('count.up', done)],
        calls: [{ tool: 'count.up', args: { n: 1 } }],
        hooks: [deny],
      });
      const { rig } = made;
      await send(rig);
      await rig.finished();
      expect(done).toEqual([]);
      const refused = rig.of('tool.returned').find(({ payload }) => payload.tool === 'count.up');
      expect(refused?.payload.error).toMatchObject({ code: 'policy.denied' });
      await replayed(made, done);
    });

    it('waits for a person where a policy wants one, and goes on', async () => {
      const done: string[] = [];
      const made = await way({
        tools: [traced('count.up', done)],
        calls: [{ tool: 'count.up', args: { n: 1 } }],
        hooks: [new AskFirst('count.up')],
      });
      const { rig } = made;
      const { run } = await send(rig);
      await rig.until(() => rig.cell.run(run.run_id).run.status === 'waiting_approval', 'it waits');
      expect(done).toEqual([]);
      const [asked] = rig.of('approval.requested');
      await rig.cell.approvals.answer(asked!.payload.approval_id, 'allow', LEAD, '');
      await rig.finished();
      expect(done).toEqual(['count.up 1']);
      expect(rig.of('run.finished')[0]?.payload.status).toBe('succeeded');
      await replayed(made, done);
    });

    it('is cancelled in a motion: the robot is stopped, every call has its end, nothing comes after', async () => {
      const done: string[] = [];
      const made = await way({
        tools: [traced('robot.hold', done, { effect: 'actuate' }, true), traced('count.up', done)],
        calls: [
          { tool: 'robot.hold', args: { n: 1 } },
          { tool: 'count.up', args: { n: 2 } },
        ],
      });
      const { rig } = made;
      const { run } = await send(rig);
      await rig.until(() => done.length === 1, 'it holds');
      void rig.cell.cancel(run.run_id, 'enough').catch(() => {});
      await rig.finished();
      expect(rig.of('run.finished')[0]?.payload).toMatchObject({ status: 'cancelled', reason: 'enough' });
      expect(rig.bus.asked).toContain('robot.stop');
      expect(done).toEqual(['robot.hold 1']);
      const ids = (kind: 'tool.called' | 'tool.returned') =>
        rig
          .of(kind)
          .map(({ payload }) => payload.call_id)
          .sort();
      expect(ids('tool.returned')).toEqual(ids('tool.called'));
      await replayed(made, done);
    });

    it('continues after a kill at every append: nothing twice, one end, and a replay that is the same', async () => {
      const calls = [1, 2, 3].map((n) => ({ tool: n === 2 ? 'count.safe' : 'count.up', args: { n } }));
      const tools = (done: string[]) => [
        traced('count.up', done),
        traced('count.safe', done, { effect: 'read', replay: 'safe' }),
      ];
      const { rig: whole } = await way({ tools: tools([]), calls });
      await send(whole);
      await whole.finished();
      for (let append = 2; append <= whole.appends.length; append++)
        for (const when of ['before', 'after'] as const) {
          const done: string[] = [];
          const what = `append ${append}, ${when}`;
          const { rig: cut } = await way({ tools: tools(done), calls, cut: { append, when } });
          void send(cut).catch(() => {});
          await cut.finished();
          const made = await way({ tools: tools(done), calls, disk: cut.disk, clock: cut.clock });
          const { rig } = made;
          if (rig.of('intent.accepted').length === 0) void send(rig).catch(() => {});
          await rig.finished();
          expect(rig.of('run.finished'), what).toHaveLength(1);
          const once = done.filter((line) => line.startsWith('count.up'));
          expect(new Set(once).size, what).toBe(once.length);
          const called = rig.of('tool.called').map(({ payload }) => payload.call_id);
          expect(new Set(called).size, what).toBe(called.length);
          expect(
            rig
              .of('tool.returned')
              .map(({ payload }) => payload.call_id)
              .sort(),
            what,
          ).toEqual(called.sort());
          await replayed(made, done, what);
        }
    });
  });
}
