import { describe, expect, it } from 'vitest';
import type { PolicyContext } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { AskFirst, rigOf, waiting } from '../support/approval-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

const LEAD: PolicyContext = { tenant: 'lab', principal: 'lena', roles: ['operator', 'lead'], origin: 'api' };
const GUEST: PolicyContext = { ...LEAD, principal: 'gus', roles: [] };

describe('a call that a person has to agree to', () => {
  it('rests the robot, waits durably, and goes on with the word of somebody else', async () => {
    const { rig, calls } = rigOf({});
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    const id = await waiting(rig);
    expect(rig.bus.asked.some((method) => method.includes('stop'))).toBe(true);
    expect(calls.map((call) => call.slice(0, 11))).toEqual(['note.write ']);
    expect(rig.cell.approvals.approvals()).toMatchObject([
      {
        state: 'waiting',
        subject: 'gate.open',
        reason: 'people are near',
        principal: 'ada',
        facts: { n: 2 },
      },
    ]);
    await expect(rig.cell.approvals.answer(id, 'allow', PERSON, '')).rejects.toMatchObject({
      code: 'policy.denied',
    });
    await expect(rig.cell.approvals.answer(id, 'allow', GUEST, '')).rejects.toMatchObject({
      code: 'policy.denied',
    });
    expect(await rig.cell.approvals.answer(id, 'allow', LEAD, 'looked')).toMatchObject({
      state: 'allowed',
      by: 'lena',
    });
    // Again is no error, otherwise is.
    expect(await rig.cell.approvals.answer(id, 'allow', LEAD, '')).toMatchObject({ state: 'allowed' });
    await expect(rig.cell.approvals.answer(id, 'deny', LEAD, '')).rejects.toMatchObject({
      code: 'approval.answered',
    });
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload).toMatchObject({ status: 'succeeded', reason: 'opened 2' });
    expect(calls).toHaveLength(3);
    const request = rig.of('approval.requested')[0]!.payload;
    expect(rig.of('tool.called').find(({ payload }) => payload.tool === 'gate.open')?.payload.call_id).toBe(
      request.call_id,
    );
    expect(rig.of('run.status').map(({ payload }) => payload.status)).toEqual([
      'waiting_approval',
      'running',
    ]);
    expect(rig.cell.approvals.approvals()).toEqual([]);
    await rig.cell.stop();
  });

  it('is refused by a no, by time, and by policies that changed meanwhile', async () => {
    for (const how of ['no', 'time', 'changed'] as const) {
      const { rig, hook, calls } = rigOf({});
      await rig.cell.start();
      await rig.cell.submit({ type: 'door/go' }, PERSON);
      const id = await waiting(rig);
      if (how === 'no') await rig.cell.approvals.answer(id, 'deny', LEAD, 'too close');
      if (how === 'time') await rig.clock.advance(61_500);
      if (how === 'changed') {
        hook.forbidAfter = true;
        await rig.cell.approvals.answer(id, 'allow', LEAD, '');
      }
      await rig.finished();
      const { reason } = rig.of('run.finished')[0]!.payload;
      expect(reason).toMatch(
        { no: /lena said no: too close/, time: /no person agreed in time/, changed: /no more/ }[how],
      );
      expect(calls.filter((call) => call.startsWith('gate.open'))).toEqual([]);
      if (how === 'time')
        await expect(rig.cell.approvals.answer(id, 'allow', LEAD, '')).rejects.toMatchObject({
          code: 'approval.answered',
        });
      await rig.cell.stop();
    }
  });

  it('asks only those whom the policy names, and tells an unknown question', async () => {
    const hook = new AskFirst('gate.open');
    hook.roles = ['lead'];
    const { rig } = rigOf({ hook });
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    const id = await waiting(rig);
    const other = { ...LEAD, principal: 'otto', roles: ['operator'] };
    await expect(rig.cell.approvals.answer(id, 'allow', other, '')).rejects.toMatchObject({
      code: 'policy.denied',
      message: expect.stringContaining('role lead'),
    });
    await expect(rig.cell.approvals.answer('nothing', 'allow', LEAD, '')).rejects.toMatchObject({
      code: 'approval.not_found',
    });
    // Two at the same moment: one stands.
    const both = await Promise.allSettled([
      rig.cell.approvals.answer(id, 'deny', LEAD, ''),
      rig.cell.approvals.answer(id, 'allow', LEAD, ''),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await rig.finished();
    expect(rig.of('approval.answered')).toHaveLength(1);
    await rig.cell.stop();
  });

  it('lets its run be cancelled, and its deadline pass, meanwhile', async () => {
    for (const how of ['cancel', 'deadline'] as const) {
      const { rig, calls } = rigOf({ deadlineMs: how === 'deadline' ? 30_000 : 600_000 });
      await rig.cell.start();
      const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
      const id = await waiting(rig);
      if (how === 'cancel') await rig.cell.cancel(run.run_id, 'enough');
      else await rig.clock.advance(31_000);
      await rig.finished();
      expect(rig.of('run.finished')[0]?.payload.status).toBe(how === 'cancel' ? 'cancelled' : 'failed');
      expect(rig.of('approval.answered').map(({ payload }) => payload.decision)).toEqual(['deny']);
      await expect(rig.cell.approvals.answer(id, 'allow', LEAD, '')).rejects.toMatchObject({
        code: 'approval.answered',
      });
      expect(calls.filter((call) => call.startsWith('gate.open'))).toEqual([]);
      await rig.cell.stop();
    }
  });
});

describe('an intent that a person has to agree to', () => {
  it('opens its run, which waits before its first step', async () => {
    for (const decision of ['allow', 'deny'] as const) {
      const { rig, calls } = rigOf({ hook: new AskFirst('door/go') });
      await rig.cell.start();
      await rig.cell.submit({ type: 'door/go', params: {} }, PERSON);
      const id = await waiting(rig);
      expect(rig.cell.approvals.approvals()).toMatchObject([{ point: 'intent', subject: 'door/go' }]);
      expect(calls).toEqual([]);
      await rig.cell.approvals.answer(id, decision, LEAD, '');
      await rig.finished();
      const { status, error } = rig.of('run.finished')[0]!.payload;
      expect([status, error?.code]).toEqual(
        decision === 'allow' ? ['succeeded', undefined] : ['failed', 'policy.denied'],
      );
      expect(calls).toHaveLength(decision === 'allow' ? 3 : 0);
      await rig.cell.stop();
    }
  });
});

describe('a process that dies while a person thinks', () => {
  /** Every append of the whole story is a place to die, before and after it is written. */
  it('asks on, never twice, and finds the answer, wherever it died', async () => {
    const whole = rigOf({});
    await whole.rig.cell.start();
    await whole.rig.cell.submit({ type: 'door/go' }, PERSON);
    await whole.rig.cell.approvals.answer(await waiting(whole.rig), 'allow', LEAD, '');
    await whole.rig.finished();
    const appends = whole.rig.appends.length;
    expect(appends).toBeGreaterThan(8);

    for (let append = 2; append <= appends; append++) {
      for (const when of ['before', 'after'] as const) {
        const disk = new MemoryLogDisk();
        const calls: string[] = [];
        const clock = new ManualClock();
        const first = rigOf({ disk, calls, clock, cut: { append, when } });
        await first.rig.cell.start();
        void first.rig.cell.submit({ type: 'door/go' }, PERSON).catch(() => {});
        await first.rig.until(() => first.rig.cell.approvals.approvals().length > 0, 'asked');
        const asked = first.rig.cell.approvals.approvals()[0];
        if (asked && !first.rig.dead)
          void first.rig.cell.approvals.answer(asked.approval_id, 'allow', LEAD, '').catch(() => {});
        await first.rig.until(() => first.rig.of('run.finished').length > 0, 'the end or the cut');
        expect(first.rig.dead).toBe(true);

        clock.skip(5_000);
        const second = rigOf({ disk, calls, clock });
        await second.rig.cell.start();
        if (second.rig.of('intent.accepted').length === 0) continue;
        const answer = async () => {
          await second.rig.until(
            () =>
              second.rig.of('run.finished').length > 0 || second.rig.cell.approvals.approvals().length > 0,
            'a question or the end',
          );
          const open = second.rig.cell.approvals.approvals()[0];
          if (open) await second.rig.cell.approvals.answer(open.approval_id, 'allow', LEAD, '');
        };
        await answer();
        await second.rig.until(
          () => second.rig.of('run.finished').length > 0,
          `the end after a cut at ${append} ${when}`,
        );
        const place = `${append} ${when}`;
        // One question, one answer, and never two openings of the gate.
        expect([place, second.rig.of('approval.requested').length]).toEqual([place, 1]);
        expect([place, second.rig.of('approval.answered').length]).toEqual([place, 1]);
        expect([place, calls.filter((call) => call.startsWith('gate.open')).length <= 1]).toEqual([
          place,
          true,
        ]);
        await second.rig.cell.stop();
      }
    }
  });

  it('gives no more time than was left', async () => {
    const disk = new MemoryLogDisk();
    const clock = new ManualClock();
    const first = rigOf({ disk, clock });
    await first.rig.cell.start();
    await first.rig.cell.submit({ type: 'door/go' }, PERSON);
    await waiting(first.rig);
    // It is killed.
    first.rig.cell.approvals.stop();
    clock.skip(50_000);
    const second = rigOf({ disk, clock });
    await second.rig.cell.start();
    await waiting(second.rig);
    await clock.advance(8_000);
    expect(second.rig.cell.approvals.approvals()).toHaveLength(1);
    clock.jumpWall(-3_600_000_000_000n);
    await clock.advance(4_000);
    expect(second.rig.of('approval.answered').map(({ payload }) => payload.decision)).toEqual(['expired']);
    await second.rig.finished();
    await second.rig.cell.stop();
  });
});
