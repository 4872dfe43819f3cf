import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import type { HookDecision, HookQuestion, PolicyContext, PolicyHook, Tool } from '../../contract/index.ts';
import { mcpCaller } from '../../daemon/compose/mcp.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const LEAD: PolicyContext = { tenant: 'lab', principal: 'lena', roles: ['operator', 'lead'], origin: 'api' };
const GUEST: PolicyContext = { ...LEAD, principal: 'gus', roles: [] };

/** A hook that wants a person for one tool or intent, and lets operators answer what others asked. */
class AskFirst implements PolicyHook {
  readonly name = 'ask-first';
  roles: readonly string[] = [];
  timeoutMs = 60_000;
  forbidAfter = false;
  asked = 0;

  readonly #subject: string;

  constructor(subject: string) {
    this.#subject = subject;
  }

  async decide({ point, subject, context, about }: HookQuestion): Promise<HookDecision> {
    if (point === 'approval') {
      const own = about?.['requester'] === context.principal;
      const allow = context.roles.includes('operator') && !own;
      return { decision: allow ? 'allow' : 'deny', reason: own ? 'their own' : 'no operator' };
    }
    if (subject !== this.#subject) return { decision: 'allow', reason: 'nothing to ask' };
    if (this.asked++ > 0 && this.forbidAfter) return { decision: 'deny', reason: 'no more' };
    return {
      decision: 'needs_approval',
      reason: 'people are near',
      approval: { timeoutMs: this.timeoutMs, roles: this.roles },
    };
  }
}

function tool(name: string, effect: 'write' | 'actuate', calls: string[]): Tool {
  return {
    spec: {
      name,
      description: name,
      input: Type.Object({ n: Type.Integer() }, { additionalProperties: false }),
      effect,
      replay: effect === 'actuate' ? 'never' : 'safe',
      deadlineMs: 5_000,
      origin: 'house',
    },
    run: async ({ n }, { callId }) => {
      calls.push(`${name} ${n} ${callId}`);
      return { result: { n: n as number } };
    },
  };
}

type Setup = {
  hook?: AskFirst;
  disk?: MemoryLogDisk;
  cut?: Cut;
  clock?: ManualClock;
  calls?: string[];
  deadlineMs?: number;
};

function rigOf({
  hook = new AskFirst('gate.open'),
  disk,
  cut,
  clock,
  calls = [],
  deadlineMs = 600_000,
}: Setup) {
  // The phase is a harness of its own: it calls the box as an agent does.
  const app = {
    ...flowApp(
      'door',
      oneState(async () => ({ event: 'ok', reason: '' })),
    ),
    harness: 'pi' as const,
    deadlineMs,
    agent: { instructions: 'x', tools: ['gate.open', 'note.write'], skills: [] } as never,
    tools: [tool('gate.open', 'actuate', calls), tool('note.write', 'write', calls)],
  };
  const rig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot(),
    hooks: [hook],
    ...(disk ? { disk } : {}),
    ...(cut ? { cut } : {}),
    ...(clock ? { clock } : {}),
    options: {
      harnesses: {
        pi: () => ({
          kind: 'pi',
          execute: async ({ toolBox }) => {
            await toolBox.call('note.write', { n: 1 }, { originId: 'a' });
            const answer = await toolBox
              .call('gate.open', { n: 2 }, { originId: 'b' })
              .then(({ result }) => `opened ${result['n']}`)
              .catch((error: Error) => `refused: ${error.message}`);
            await toolBox.call('note.write', { n: 3 }, { originId: 'c' });
            return { status: 'succeeded', reason: answer, summary: {} };
          },
        }),
      },
    },
  });
  return { rig, hook, calls };
}

async function waiting(rig: RuntimeRig): Promise<string> {
  await rig.until(
    () => rig.cell.status().runs[0]?.status === 'waiting_approval',
    'the run waits for a person',
  );
  return rig.cell.approvals.approvals()[0]!.approval_id;
}

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
        { no: /lena said no: too close/, time: /nobody agreed in time/, changed: /no more/ }[how],
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

describe('an answer is judged by policies', () => {
  async function deskWith(text: string) {
    const clock = new ManualClock();
    const book = await PolicyBook.open({
      robot: 'robot',
      clock,
      read: () => ({ policies: [{ file: 'p.cedar', text }], entities: { file: 'e', text: '' } }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    return rigOf({ hook: book as unknown as AskFirst, clock }).rig;
  }
  const ASKS = `@approve("mind your fingers") permit (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"gate.open");
permit (principal, action == Auraison::Action::"intent", resource);
permit (principal, action == Auraison::Action::"tool", resource in Auraison::Group::"note");`;

  it('and never crosses the border between tenants, although a policy forgets it', async () => {
    const rig = await deskWith(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource);`);
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    const id = await waiting(rig);
    const guest = { ...PERSON, tenant: 'acme', principal: 'eve' };
    for (const decision of ['allow', 'deny'] as const)
      await expect(rig.cell.approvals.answer(id, decision, guest, '')).rejects.toMatchObject({
        code: 'approval.not_found',
      });
    expect(rig.of('approval.answered')).toEqual([]);
    await rig.cell.approvals.answer(id, 'allow', { ...PERSON, principal: 'bea' }, '');
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload.reason).toBe('opened 2');
    await rig.cell.stop();
  });

  it('by who somebody is: one token that asks over MCP and answers over HTTP is one person', async () => {
    const rig = await deskWith(`${ASKS} permit (principal, action == Auraison::Action::"answer", resource)
when { resource.requester != principal };`);
    await rig.cell.start();
    const token: PolicyContext = {
      ...{ tenant: 'local', principal: 'operator', roles: ['operator'], origin: 'api' },
    };
    await rig.cell.submit({ type: 'door/go' }, mcpCaller(token, ['operator']));
    const id = await waiting(rig);
    await expect(rig.cell.approvals.answer(id, 'allow', token, '')).rejects.toMatchObject({
      code: 'policy.denied',
      hint: expect.stringContaining('own name'),
    });
    expect(rig.of('intent.accepted')[0]!.payload.intent.policy_ctx).toMatchObject({
      principal: 'operator',
      origin: 'mcp',
    });
    await rig.cell.approvals.answer(id, 'allow', { ...token, principal: 'bea' }, '');
    await rig.finished();
    await rig.cell.stop();
  });

  it('which may let people answer their own question', async () => {
    const text = `permit (principal, action in [Auraison::Action::"intent", Auraison::Action::"answer"], resource);
@approve("mind your fingers") permit (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"gate.open");
permit (principal, action == Auraison::Action::"tool", resource in Auraison::Group::"note");`;
    const clock = new ManualClock();
    const book = await PolicyBook.open({
      robot: 'robot',
      clock,
      read: () => ({ policies: [{ file: 'p.cedar', text }], entities: { file: 'e', text: '' } }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    const { rig } = rigOf({ hook: book as unknown as AskFirst, clock });
    await rig.cell.start();
    await rig.cell.submit({ type: 'door/go' }, PERSON);
    const id = await waiting(rig);
    await rig.cell.approvals.answer(id, 'allow', PERSON, '');
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload.reason).toBe('opened 2');
    const judged = rig.of('policy.decided').find(({ payload }) => payload.point === 'approval')!.payload;
    expect(judged).toMatchObject({
      decision: 'allow',
      policy_sha256: book.sha256,
      determining: ['p.cedar#1'],
    });
    await rig.cell.stop();
  });
});
