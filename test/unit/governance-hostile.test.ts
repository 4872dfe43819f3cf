import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  type Grant,
  type HookDecision,
  IdSource,
  type NewEvent,
  type PolicyContext,
  type PolicyHook,
  toWireTime,
} from '../../contract/index.ts';
import { ApprovalDesk } from '../../daemon/runtime/governance/approval-desk.ts';
import { Governance } from '../../daemon/runtime/governance/governance.ts';
import { GrantBook } from '../../daemon/runtime/governance/grant-book.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { uuid } from '../support/tiny-log.ts';

const LENA: PolicyContext = { tenant: 'lab', principal: 'lena', roles: ['operator'], origin: 'api' };
const RUN = uuid(7);

/** Answers when it is told to. */
class SlowHook implements PolicyHook {
  readonly name = 'slow';
  readonly #held: ((decision: HookDecision) => void)[] = [];

  decide(): Promise<HookDecision> {
    return new Promise((resolve) => this.#held.push(resolve));
  }

  async say(decision: HookDecision['decision']): Promise<void> {
    while (this.#held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    this.#held.shift()!({ decision, reason: 'slowly' });
  }
}

function deskOf(clock: ManualClock, hook: PolicyHook) {
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const faults: unknown[] = [];
  let broken = false;
  let ids = 0;
  const desk: ApprovalDesk = new ApprovalDesk({
    clock,
    ids: new IdSource(
      () => 1_700_000_000_000 + ids++,
      (length) => new Uint8Array(length).fill(ids),
    ),
    hooks: new PolicyGate([hook], clock),
    rolesOf: ({ roles }) => roles,
    append: async (events) => {
      if (broken) throw new Error('the disk is full');
      desk.observe(await log.append(events));
    },
    report: (_message, facts) => void faults.push(facts),
  });
  const ask = async () => {
    const { note, events } = desk.open({
      ...{ runId: RUN, point: 'tool', subject: 'gate.open', facts: {}, callId: uuid(8) },
      context: { ...LENA, principal: 'ada' },
      terms: { timeoutMs: 60_000, roles: [], reason: 'people are near' },
    });
    desk.observe(await log.append(events));
    return note.approvalId;
  };
  const answers = () =>
    log
      .reader()
      .read(0, 100, { kinds: ['approval.answered'] })
      .map(({ payload }) => payload as { decision: string; by: string });
  return {
    desk,
    log,
    ask,
    answers,
    fail: (now: boolean) => {
      broken = now;
    },
  };
}

describe('an answer that takes its time', () => {
  it('counts no more when the time is over while policies are asked', async () => {
    const clock = new ManualClock();
    const hook = new SlowHook();
    const { desk, ask, answers } = deskOf(clock, hook);
    const id = await ask();
    await clock.advance(59_500);
    const answer = desk.answer(id, 'allow', LENA, '').catch((error: Error) => error);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(600);
    await hook.say('allow');
    expect(await answer).toMatchObject({ code: 'approval.answered' });
    expect(answers()).toMatchObject([{ decision: 'expired', by: '' }]);
    desk.stop();
  });

  it('is the only one, and says so, where the run ended while policies were asked', async () => {
    const clock = new ManualClock();
    const hook = new SlowHook();
    const { desk, ask, answers } = deskOf(clock, hook);
    const id = await ask();
    const answer = desk.answer(id, 'allow', LENA, '').catch((error: Error) => error);
    await new Promise((resolve) => setImmediate(resolve));
    await desk.withdraw(id, 'the run is over');
    await hook.say('allow');
    expect(await answer).toMatchObject({ code: 'approval.answered' });
    expect(answers()).toMatchObject([{ decision: 'deny' }]);
    desk.stop();
  });

  it('is never two that both were taken, after an end that could not be written', async () => {
    const clock = new ManualClock();
    const hook = new SlowHook();
    const { desk, ask, answers, fail } = deskOf(clock, hook);
    const id = await ask();
    fail(true);
    // The end cannot be written: the question is over, and its end is tried again.
    await clock.advance(61_000);
    fail(false);
    const both = [
      desk.answer(id, 'allow', LENA, ''),
      desk.answer(id, 'deny', { ...LENA, principal: 'bo' }, ''),
    ];
    const told = await Promise.allSettled(both);
    expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(answers()).toMatchObject([{ decision: 'expired' }]);
    desk.stop();
  });
});

const keys = generateKeyPairSync('ed25519');
const signed = (grant: Partial<Grant>, now: bigint) => {
  const whole: Grant = {
    ...{ grant_id: 'g1', tenant: 'lab', principal: 'lena', roles: ['lead'], robots: [] },
    ...{ issued_ts: toWireTime(now), expires_ts: toWireTime(now + 60_000_000_000n) },
    ...grant,
  };
  const signature = sign(null, Buffer.from(canonicalJson(whole)), keys.privateKey).toString('base64');
  return { grant: whole, key_id: 'central', signature };
};

async function governed(hooks: PolicyGate | undefined) {
  const clock = new ManualClock();
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const time = new LatestTime(clock);
  const grants = new GrantBook({
    ...{ robot: 'tb1', clock, time },
    keys: () => new Map([['central', keys.publicKey]]),
    report: () => {},
  });
  const governance: Governance = new Governance({
    policies: { view: () => ({}) as never, reload: async () => false },
    quotas: new QuotaBook([], time, () => undefined),
    grants,
    localGrants: () => [],
    onChange: () => {},
    rejudge: async () => ({}) as never,
    report: () => {},
  });
  const held: NewEvent[][] = [];
  let holding = false;
  const append = async (events: readonly NewEvent[]) => {
    if (holding) return void held.push([...events]);
    governance.observe(await log.append(events));
  };
  if (hooks) await governance.begin(log.reader(), hooks, append);
  else grants.attach(append);
  return {
    ...{ clock, log, grants, governance },
    hold: () => {
      holding = true;
    },
    async release(order: readonly number[]) {
      holding = false;
      for (const index of order) governance.observe(await log.append(held[index]!));
    },
  };
}

describe('grants', () => {
  const deny: PolicyHook = { name: 'no', decide: async () => ({ decision: 'deny', reason: 'no' }) };

  it('are revoked by nobody whom policies refuse, and the refusal is in the log', async () => {
    const { governance, log, clock } = await governed(new PolicyGate([deny], new ManualClock()));
    await governance.install(signed({}, clock.now()));
    const bo = { ...LENA, principal: 'bo' };
    await expect(governance.revoke('g1', bo, '')).rejects.toMatchObject({ code: 'policy.denied' });
    expect(log.reader().read(0, 10, { kinds: ['policy.decided'] })).toMatchObject([
      { payload: { decision: 'deny', subject: 'grant/g1' } },
    ]);
    expect(governance.grants()).toMatchObject([{ state: 'live' }]);
    await governance.end();
  });

  it('are revoked by nobody while no policies are in force yet', async () => {
    const { governance, clock } = await governed(undefined);
    await governance.install(signed({}, clock.now()));
    await expect(governance.revoke('g1', { ...LENA, principal: 'bo' }, '')).rejects.toMatchObject({
      code: 'policy.denied',
    });
  });

  it('that were renewed at their last moment do not end with the old end', async () => {
    const { governance, clock, hold, release } = await governed(new PolicyGate([], new ManualClock()));
    const start = clock.now();
    await governance.install(signed({}, start));
    hold();
    await clock.advance(59_900);
    const renewal = governance.install(
      signed({ issued_ts: toWireTime(clock.now()), expires_ts: toWireTime(start + 600_000_000_000n) }, start),
    );
    await clock.advance(1_200);
    await release([0, 1]);
    await renewal;
    expect(governance.grants()).toMatchObject([{ state: 'live' }]);
    await governance.end();
  });

  it('that were overtaken by a later one of their name change nothing', async () => {
    const { governance, clock, hold, release } = await governed(new PolicyGate([], new ManualClock()));
    const start = clock.now();
    hold();
    const later = governance.install(
      signed(
        {
          roles: ['lead'],
          issued_ts: toWireTime(start + 2n),
          expires_ts: toWireTime(start + 60_000_000_000n),
        },
        start,
      ),
    );
    const early = governance.install(
      signed(
        {
          roles: ['operator'],
          issued_ts: toWireTime(start + 1n),
          expires_ts: toWireTime(start + 60_000_000_000n),
        },
        start,
      ),
    );
    await Promise.allSettled([later, early]);
    await release([0, 1]);
    expect(governance.grants()).toMatchObject([{ roles: ['lead'] }]);
    await governance.end();
  });

  it('of years fill no memory: what is over is forgotten first', async () => {
    const { governance, grants, clock } = await governed(new PolicyGate([], new ManualClock()));
    for (let n = 0; n < 1_100; n++) {
      const { grant_id } = await governance.install(signed({ grant_id: `g${n}` }, clock.now()));
      await governance.revoke(grant_id, LENA, 'done');
      if (n % 100 === 0) await clock.advance(61_000);
    }
    expect(grants.views().length).toBeLessThanOrEqual(1_000);
    await governance.end();
  });
});
