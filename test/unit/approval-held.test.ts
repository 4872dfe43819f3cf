import { describe, expect, it } from 'vitest';
import type { HookQuestion, PolicyContext, PolicyHook } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const CLIENT: PolicyContext = { tenant: PERSON.tenant, principal: 'mcp', roles: ['operator'], origin: 'mcp' };
const QUESTION = {
  point: 'tool',
  subject: 'robot.stop_recording',
  context: CLIENT,
  facts: { why: 'space' },
  terms: { timeoutMs: 30_000, roles: [], reason: 'people are near' },
  events: [],
} as const;
const anybody: PolicyHook = {
  name: 'anybody',
  decide: async (_: HookQuestion) => ({ decision: 'allow', reason: '' }),
};

async function rigWith(former?: RuntimeRig): Promise<RuntimeRig> {
  const rig = new RuntimeRig({
    apps: [],
    robot: new FakeRobot({ cells: 2 }),
    hooks: [anybody],
    ...(former ? { disk: former.disk, clock: former.clock } : {}),
  });
  await rig.cell.start();
  return rig;
}

/** A held call: the question it waits for, and what became of it. */
async function hold(rig: RuntimeRig, signal = new AbortController().signal) {
  let told: ((id: string) => void) | undefined;
  const asked = new Promise<string>((resolve) => {
    told = resolve;
  });
  let end = '';
  const over = rig.cell.approvals.hold(QUESTION, signal, told!).then(
    () => (end = 'done'),
    (thrown: Error) => (end = thrown.message),
  );
  return { id: await asked, over, end: () => end };
}

describe('a call outside of a run that wants a person', () => {
  it('waits for the answer, and is done when somebody agrees', async () => {
    const rig = await rigWith();
    const call = await hold(rig);
    expect(rig.cell.approvals.approvals()).toMatchObject([
      { approval_id: call.id, subject: 'robot.stop_recording', principal: 'mcp', run_id: undefined },
    ]);
    expect(call.end()).toBe('');
    await rig.cell.approvals.answer(call.id, 'allow', PERSON, 'go on');
    await call.over;
    expect(call.end()).toBe('done');
  });

  it('is refused with the reason of who said no, and by the clock', async () => {
    const rig = await rigWith();
    const first = await hold(rig);
    await rig.cell.approvals.answer(first.id, 'deny', PERSON, 'not today');
    await first.over;
    expect(first.end()).toMatch(/said no: not today/);
    const second = await hold(rig);
    expect(second.id).not.toBe(first.id);
    for (let i = 0; i < 35; i++) await rig.clock.advance(1_000);
    await second.over;
    expect(second.end()).toBe('no person agreed in time');
  });

  it('given up by its client asks nobody any more', async () => {
    const rig = await rigWith();
    const gone = new AbortController();
    const call = await hold(rig, gone.signal);
    gone.abort(new Error('the client went away'));
    await call.over;
    expect(call.end()).toBe('the client went away');
    expect(rig.cell.approvals.approvals()).toEqual([]);
    await expect(rig.cell.approvals.answer(call.id, 'allow', PERSON, '')).rejects.toMatchObject({
      code: 'approval.answered',
    });
  });

  it('cut off by a restart: the question has an end, and what was allowed then allows nothing now', async () => {
    const rig = await rigWith();
    const waiting = await hold(rig);
    const allowed = await hold(rig);
    await rig.cell.approvals.answer(allowed.id, 'allow', PERSON, '');
    await allowed.over;
    const again = await rigWith(rig);
    expect(again.cell.approvals.approvals()).toEqual([]);
    expect(again.of('approval.answered').map(({ payload }) => payload)).toContainEqual(
      expect.objectContaining({ approval_id: waiting.id, decision: 'deny' }),
    );
    const anew = await hold(again);
    expect([waiting.id, allowed.id]).not.toContain(anew.id);
    expect(anew.end()).toBe('');
  });
});
