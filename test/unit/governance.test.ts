import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BuiltInJudge, CedarJudge, loadCedar, PolicyBook } from '../../adapters/cedar/index.ts';
import {
  canonicalJson,
  type Grant,
  LIMITS,
  type NewEvent,
  type PolicyContext,
  type QuotaRule,
  toWireTime,
} from '../../contract/index.ts';
import { GrantBook } from '../../daemon/runtime/governance/grant-book.ts';
import { grantKey } from '../../daemon/runtime/governance/grant-signature.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { QuotaHook } from '../../daemon/runtime/governance/quota-hook.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { RunStore } from '../../daemon/runtime/runs/run-store.ts';
import { rejudge } from '../../history/rejudge.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { runEvents } from '../support/sample-events.ts';
import { TinyLog, uuid } from '../support/tiny-log.ts';

const PERSON: PolicyContext = { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'cli' };
const RUN = uuid(1);
const HOUR = 3_600_000_000_000n;

function spent(n: number, tokens: number): NewEvent[] {
  return [
    {
      kind: 'model.returned',
      run_id: RUN,
      payload: { call_id: uuid(n), ok: true, tokens_in: tokens, tokens_out: 0, duration_ms: 500 },
    },
  ];
}

describe('quotas', () => {
  const rules: QuotaRule[] = [
    { tenant: '*', metric: 'tokens', window: 'minute', limit: 100 },
    { tenant: 'rich', metric: 'tokens', window: 'minute', limit: 1_000 },
    { tenant: 'lab', metric: 'gpu_seconds', window: 'day', limit: 1 },
  ];

  it('say what is left and when it renews, and renew then', async () => {
    const clock = new ManualClock(1_700_000_040_000_000_000n); // at the beginning of a minute
    const book = new QuotaBook(rules, new LatestTime(clock), () => 'lab');
    const log = new MemoryEventLog({ cell: 'runtime', clock });
    const ask = () =>
      new QuotaHook(book).decide({ point: 'model', subject: 'm', context: PERSON, facts: {} });
    expect((await ask()).decision).toBe('allow');
    book.observe(await log.append(spent(2, 100)));
    expect(await ask()).toMatchObject({
      decision: 'deny',
      code: 'quota.exceeded',
      reason:
        'tenant lab has used 100 of 100 tokens per minute, 0 are left; it renews at 2023-11-14T22:15:00Z',
    });
    expect(book.quotas('rich')).toMatchObject([{ metric: 'tokens', limit: 1_000, used: 0 }]);
    await clock.advance(60_000);
    expect((await ask()).decision).toBe('allow');
    book.observe(await log.append(spent(3, 1)));
    expect(await ask()).toMatchObject({
      decision: 'deny',
      reason: expect.stringContaining('1 of 1 s of models per day'),
    });
    await log.close();
  });

  it('are what the log says, wherever it was read from, and a clock that is set back renews nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(50), fc.integer({ min: -90_000, max: 90_000 }), fc.nat(90_000)), {
          maxLength: 20,
        }),
        async (steps) => {
          const clock = new ManualClock();
          const disk = new MemoryLogDisk();
          const log = new MemoryEventLog({ cell: 'runtime', clock, disk });
          const live = new QuotaBook(rules, new LatestTime(clock), () => 'lab');
          let before = 0;
          for (const [tokens, jump, pass] of steps) {
            clock.jumpWall(BigInt(jump) * 1_000_000n);
            if (jump < 0) expect(live.quotas('lab')[1]!.used).toBeGreaterThanOrEqual(before);
            await clock.advance(pass);
            live.observe(await log.append(spent(2, tokens)));
            before = live.quotas('lab')[1]!.used;
            // What was spent this moment was spent in the window of this moment.
            expect(before).toBeGreaterThanOrEqual(tokens);
          }
          const days = rules.map((rule) => ({ ...rule, window: 'total' as const }));
          const read = new QuotaBook(days, new LatestTime(clock), () => 'lab');
          await read.load(log.reader());
          const sum = steps.reduce((all, [tokens]) => all + tokens, 0);
          expect(read.quotas('lab').find(({ metric }) => metric === 'tokens')!.used).toBe(sum);
          await log.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('go on after the clock was set back: time renews them, and what is spent counts', async () => {
    const clock = new ManualClock(1_700_000_040_000_000_000n);
    const book = new QuotaBook(rules, new LatestTime(clock), () => 'lab');
    const log = new MemoryEventLog({ cell: 'runtime', clock });
    const ask = () =>
      new QuotaHook(book).decide({ point: 'model', subject: 'm', context: PERSON, facts: {} });
    clock.jumpWall(-HOUR);
    await clock.advance(61_000);
    book.observe(await log.append(spent(2, 100)));
    expect(await ask()).toMatchObject({ decision: 'deny', code: 'quota.exceeded' });
    await clock.advance(60_000);
    expect((await ask()).decision).toBe('allow');
    await log.close();
  });

  it('know whose runs of long ago were without reading them again', async () => {
    const log = new TinyLog('runtime');
    const runs = LIMITS.RUNS_REMEMBERED_MAX + 10;
    for (let n = 0; n < runs; n++) for (const event of runEvents(20 * n, 1)) log.append(event);
    const store = new RunStore(log.reader(), () => {});
    await store.load();
    const book = new QuotaBook(
      [{ tenant: 'lab', metric: 'actuation_seconds', window: 'total', limit: 1_000 }],
      new LatestTime(new ManualClock()),
      (runId) => store.get(runId)?.intent.policy_ctx.tenant,
    );
    const before = log.reads;
    await book.load(log.reader());
    // Four events of each run count: five pages, and one that is empty.
    expect(log.reads - before).toBeLessThanOrEqual(6);
    expect(book.quotas('lab')[0]!.used).toBeCloseTo(runs * 0.0125, 3);
  });

  it('let no two intents through where one is left', async () => {
    const clock = new ManualClock();
    const book = new QuotaBook(
      [{ tenant: '*', metric: 'runs', window: 'day', limit: 1 }],
      new LatestTime(clock),
      () => 'lab',
    );
    const gate = new PolicyGate([new QuotaHook(book)], clock);
    const ask = (n: number) =>
      gate.ask({
        point: 'intent',
        subject: 'a/b',
        context: PERSON,
        facts: {},
        about: { intent_id: uuid(n) },
      });
    const both = await Promise.all([ask(1), ask(2)]);
    expect(both.map(({ refusal }) => refusal?.code)).toEqual([undefined, 'quota.exceeded']);
  });
});

describe('grants', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const signed = (grant: Grant, key = privateKey) => ({
    grant,
    key_id: 'central',
    signature: sign(null, Buffer.from(canonicalJson(grant)), key).toString('base64'),
  });
  const grantOf = (clock: ManualClock, more: Partial<Grant> = {}): Grant => ({
    grant_id: 'g1',
    tenant: 'lab',
    principal: 'ada',
    roles: ['arm'],
    robots: ['robot'],
    issued_ts: toWireTime(clock.now()),
    expires_ts: toWireTime(clock.now() + HOUR),
    ...more,
  });
  const UNDER = { ...PERSON, lease: 'g1' };

  async function bookOf(clock: ManualClock, disk = new MemoryLogDisk()) {
    disk.writer = undefined;
    const log = new MemoryEventLog({ cell: 'runtime', clock, disk });
    const time = new LatestTime(clock);
    const keys = new Map([['central', grantKey(pem, 'central.pem')]]);
    const book = new GrantBook({ robot: 'robot', clock, time, keys: () => keys, report: () => {} });
    book.attach(async (events) => book.observe(await log.append(events)));
    book.load(log.reader());
    return { book, disk };
  }

  it('give roles while they live, to whom they were given, and nothing afterwards', async () => {
    const clock = new ManualClock();
    const { book, disk } = await bookOf(clock);
    await book.install(signed(grantOf(clock)));
    expect(book.standing(UNDER)).toEqual({ ok: true, roles: ['operator', 'arm'], grant: 'g1' });
    expect(book.standing({ ...UNDER, principal: 'bob' }).ok).toBe(false);
    expect(book.standing({ ...UNDER, lease: 'g2' }).ok).toBe(false);
    await clock.advance(3_601_000);
    expect(book.standing(UNDER)).toEqual({ ok: false, reason: 'the grant is over' });
    expect(disk.events.map((event) => event.kind === 'grant.state' && event.payload.state)).toEqual([
      'issued',
      'expired',
    ]);
  });

  it('cannot be prolonged by setting the clock back, in this process or over a restart', async () => {
    const clock = new ManualClock();
    const { book, disk } = await bookOf(clock);
    await book.install(signed(grantOf(clock)));
    await clock.advance(1_800_000);
    clock.jumpWall(-24n * HOUR);
    await clock.advance(1_801_000);
    expect(book.standing(UNDER).ok).toBe(false);
    book.stop();
    const again = await bookOf(clock, disk);
    expect(again.book.standing(UNDER).ok).toBe(false);
    await expect(
      again.book.install(signed(grantOf(clock, { expires_ts: toWireTime(clock.now() + HOUR) }))),
    ).rejects.toMatchObject({ code: 'policy.denied' });
  });

  it('are refused when anything about them is wrong', async () => {
    const clock = new ManualClock();
    const { book } = await bookOf(clock);
    const other = generateKeyPairSync('ed25519').privateKey;
    const good = signed(grantOf(clock));
    const bad: [unknown, string][] = [
      [signed(grantOf(clock), other), 'policy.denied'],
      [{ ...good, grant: { ...good.grant, roles: ['admin'] } }, 'policy.denied'],
      [{ ...good, key_id: 'nobody' }, 'policy.denied'],
      [signed(grantOf(clock, { robots: ['elsewhere'] })), 'policy.denied'],
      [signed(grantOf(clock, { expires_ts: '1' })), 'policy.denied'],
      [{ ...good, more: 1 }, 'schema.invalid'],
      [signed({ ...grantOf(clock), roles: 'all' } as never), 'schema.invalid'],
      [null, 'schema.invalid'],
    ];
    for (const [grant, code] of bad) await expect(book.install(grant)).rejects.toMatchObject({ code });
    expect(book.views()).toEqual([]);
    await book.install(good);
    await book.revoke('g1', 'stolen');
    expect(book.standing(UNDER)).toEqual({ ok: false, reason: 'the grant was revoked' });
    await expect(
      book.install(signed(grantOf(clock, { issued_ts: toWireTime(clock.now() + 1n) }))),
    ).rejects.toMatchObject({ code: 'policy.denied' });
  });
});

describe('history', () => {
  it('is judged again as it was judged, and otherwise under other policies', async () => {
    const clock = new ManualClock();
    const log = new MemoryEventLog({ cell: 'runtime', clock });
    const book = await PolicyBook.open({
      robot: 'robot',
      clock,
      read: () => ({ policies: [], entities: { file: 'e', text: '' } }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    const gate = new PolicyGate([book], clock);
    for (const roles of [['operator'], [], ['guest']]) {
      const context = { ...PERSON, roles };
      const { events } = await gate.ask(
        { point: 'tool', subject: 'robot.drive', context, facts: { n: 1 } },
        RUN,
      );
      await log.append(events);
    }
    expect(await rejudge([log.reader()], new BuiltInJudge(), 0)).toMatchObject({
      judged: 3,
      same: 3,
      different: 0,
    });
    const guests = new CedarJudge(await loadCedar(), [
      {
        file: 'g.cedar',
        text: '@id("guests") permit (principal in Auraison::Role::"guest", action, resource);',
      },
    ]);
    const report = await rejudge([log.reader()], guests, 0);
    expect(report).toMatchObject({ judged: 3, same: 1, different: 2, not_judged: 0 });
    expect(report.differences.map(({ was, would }) => [was.decision, would.decision])).toEqual([
      ['allow', 'deny'],
      ['deny', 'allow'],
    ]);
    await log.close();
  });
});

describe('hooks that misbehave', () => {
  it('deny: late, throwing, holding the thread, asking for the impossible', async () => {
    const clock = new ManualClock();
    const context = PERSON;
    const question = { point: 'tool', subject: 't', context, facts: {} } as const;
    const verdictOf = (decide: () => unknown) =>
      new PolicyGate([{ name: 'h', decide: decide as never }], clock).ask(question);
    const busy = await verdictOf(async () => {
      clock.skip(5_000);
      return { decision: 'allow', reason: '' };
    });
    expect(busy.refusal?.code).toBe('policy.denied');
    expect(
      (
        await verdictOf(() => {
          throw new Error('boom');
        })
      ).refusal?.message,
    ).toContain('boom');
    const deaf = verdictOf(() => new Promise(() => {}));
    await clock.advance(1_500);
    expect((await deaf).refusal?.code).toBe('policy.denied');
    // Of an intent nothing was decided then, which its sender may know; a hook that is broken is no such case.
    const asIntent = (decide: () => unknown) =>
      new PolicyGate([{ name: 'h', decide: decide as never }], clock).ask({ ...question, point: 'intent' });
    const late = asIntent(() => new Promise(() => {}));
    await clock.advance(1_500);
    const broken = await asIntent(() => Promise.reject(new Error('boom')));
    const denied = await asIntent(async () => ({ decision: 'deny', reason: 'no' }));
    const all = [await late, broken, denied, busy].map(({ refusal }) => refusal?.retryable);
    expect(all).toEqual([true, false, false, false]);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const odd = await verdictOf(async () => ({
      decision: 'allow',
      reason: 'x',
      request: circle,
      policySha256: 'no hash',
      determining: [1, null],
    }));
    expect(odd.refusal).toBeUndefined();
    expect(odd.events[0]!.payload).toMatchObject({ request: {}, determining: ['1', 'null'] });
  });
});
