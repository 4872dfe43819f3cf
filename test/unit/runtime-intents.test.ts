import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { type Application, EdgeError, type PolicyHook } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

/** Ends at once. */
const quick: Application = {
  name: 'quick',
  version: '1.0.0',
  description: 'ends at once',
  harness: 'flow',
  intents: [
    {
      type: 'quick/go',
      description: 'go',
      params: Type.Object(
        {
          speed: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
          count: Type.Optional(Type.Integer({ minimum: 0 })),
          note: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
    },
  ],
  deadlineMs: 60_000,
  afterCut: 'resume',
  flow: {
    name: 'quick',
    start: 'end',
    stepsMax: 3,
    begin: () => ({}),
    states: {
      end: { about: 'the end', end: 'succeeded', conclude: () => ({ reason: 'done', summary: {} }) },
    },
  },
};

async function rig(options: Partial<RigOptions> = {}): Promise<RuntimeRig> {
  const made = new RuntimeRig({ apps: [quick], robot: new FakeRobot({ cells: 2 }), ...options });
  await made.cell.start();
  return made;
}

async function refusal(made: RuntimeRig, request: unknown): Promise<EdgeError> {
  try {
    await made.cell.submit(request, PERSON);
  } catch (error) {
    expect(error).toBeInstanceOf(EdgeError);
    return error as EdgeError;
  }
  throw new Error(`accepted: ${JSON.stringify(request)}`);
}

const go = (params: unknown, more: Record<string, unknown> = {}) => ({ type: 'quick/go', params, ...more });

describe('hostile intents are refused, name the path, and are logged', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const deep = JSON.parse(`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`) as unknown;
  const cases: [string, unknown, string, RegExp][] = [
    ['unknown field', { ...go({}), evil: 1 }, 'schema.invalid', /\/evil: unknown field/],
    ['unknown parameter', go({ sped: 1 }), 'schema.invalid', /\/params\/sped: unknown field/],
    [
      'NaN',
      go({ speed: Number.NaN }),
      'schema.invalid',
      /\/params\/speed: must be a finite number, found NaN/,
    ],
    ['infinity', go({ speed: Number.POSITIVE_INFINITY }), 'schema.invalid', /\/params\/speed/],
    ['number as text', go({ count: '15' }), 'schema.invalid', /\/params\/count: must be integer, found "15"/],
    [
      'true for a number',
      go({ speed: true }),
      'schema.invalid',
      /\/params\/speed: must be number, found true/,
    ],
    ['null for a number', go({ speed: null }), 'schema.invalid', /\/params\/speed/],
    ['out of range', go({ speed: 2 }), 'schema.invalid', /\/params\/speed: must be <= 1, found 2/],
    [
      'prototype key',
      JSON.parse('{"type":"quick/go","params":{"__proto__":{"admin":1}}}'),
      'schema.invalid',
      /\/params\/__proto__: this name is not allowed/,
    ],
    ['constructor key', go({ constructor: { prototype: {} } }), 'schema.invalid', /\/params\/constructor/],
    [
      'huge parameters',
      go({ note: 'x'.repeat(70_000) }),
      'schema.invalid',
      /\/params: 70011 bytes, at most 65536/,
    ],
    ['huge body', { type: 'quick/go', junk: 'x'.repeat(5_000_000) }, 'schema.invalid', /bytes, at most/],
    ['deep nesting', go(deep), 'schema.invalid', /nested deeper than 32/],
    ['a cycle', go(cyclic), 'schema.invalid', /nested deeper than 32/],
    ['a date', go({ note: new Date(0) }), 'schema.invalid', /\/params\/note: must be plain JSON/],
    ['a function', go({ note: () => 1 }), 'schema.invalid', /\/params\/note: must be JSON, found function/],
    ['a bigint', go({ count: 1n }), 'schema.invalid', /\/params\/count: must be JSON, found bigint/],
    ['nothing', undefined, 'schema.invalid', /must be JSON, found undefined/],
    ['an array', [], 'schema.invalid', /\//],
    ['no type', { params: {} }, 'schema.invalid', /\/type: missing/],
    ['priority 11', go({}, { priority: 11 }), 'schema.invalid', /\/priority: must be <= 9, found 11/],
    [
      'another robot',
      go({}, { targets: ['other'] }),
      'schema.invalid',
      /\/targets: this robot is robot, found other/,
    ],
    ['unknown type', { type: 'no/such' }, 'intent.unknown_type', /\/type: no application serves no\/such/],
    ['a method name as type', { type: 'constructor' }, 'intent.unknown_type', /constructor/],
    ['passed deadline', go({}, { deadline: '1' }), 'intent.expired', /\/deadline: 1 has passed/],
  ];

  it.each(cases)('%s', async (_name, request, code, message) => {
    const made = await rig();
    const error = await refusal(made, request);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(made.of('intent.refused').map((event) => event.payload.error.code)).toEqual([code]);
    expect(made.of('intent.accepted')).toEqual([]);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('refuses or serves any JSON at all, and never breaks', async () => {
    const made = await rig();
    await fc.assert(
      fc.asyncProperty(
        fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
        async (junk) => {
          for (const request of [junk, go(junk), go({ speed: junk })]) {
            await made.cell.submit(request, PERSON).catch((error: unknown) => {
              expect(error).toBeInstanceOf(EdgeError);
            });
          }
        },
      ),
      { numRuns: 200 },
    );
    await made.until(() => made.cell.status().runs.length === 0, 'idle');
    expect((await made.cell.submit(go({ speed: 0.5 }), PERSON)).run.status).toBe('queued');
  });
});

describe('acknowledgement', () => {
  it('comes when intent and run are durable, in one append and in order', async () => {
    const made = await rig();
    const { run, intent } = await made.cell.submit(go({ speed: 1 }), PERSON);
    expect(made.appends[0]).toBe(2);
    expect(made.events.slice(0, 2).map((event) => [event.kind, event.run_id])).toEqual([
      ['intent.accepted', run.run_id],
      ['run.queued', run.run_id],
    ]);
    expect(intent.policy_ctx).toEqual(PERSON);
    await made.finished();
    expect(made.cell.run(run.run_id)).toMatchObject({
      phase: 'end',
      reason: 'done',
      run: { status: 'succeeded' },
    });
    expect(made.events.at(-1)?.kind).toBe('run.finished');
  });

  it('does not come when the log cannot be written, and nothing runs', async () => {
    const made = await rig();
    made.disk.fault = new EdgeError('log.failed', { operation: 'append', subject: 'disk', message: 'full' });
    expect((await refusal(made, go({}))).code).toBe('log.failed');
    expect(made.cell.status().runs).toEqual([]);
    made.disk.fault = undefined;
    expect((await made.cell.submit(go({}), PERSON)).duplicate).toBe(false);
  });

  it('answers run.not_found for a run it does not know', async () => {
    const made = await rig();
    expect(() => made.cell.run('nope')).toThrow(expect.objectContaining({ code: 'run.not_found' }));
    await expect(made.cell.cancel('nope', 'x')).rejects.toMatchObject({ code: 'run.not_found' });
  });
});

describe('idempotency keys', () => {
  const keyed = (params: unknown, key = 'k') => go(params, { idempotency_key: key });

  it('open one run, also when two requests come at once and after a restart', async () => {
    const made = await rig();
    const [first, second] = await Promise.all([
      made.cell.submit(keyed({ speed: 1 }), PERSON),
      made.cell.submit(keyed({ speed: 1 }), PERSON),
    ]);
    expect(second.run.run_id).toBe(first.run.run_id);
    expect([first.duplicate, second.duplicate]).toEqual([false, true]);
    await made.finished();
    const again = await rig({ disk: made.disk });
    const third = await again.cell.submit(keyed({ speed: 1 }), PERSON);
    expect(third).toMatchObject({ duplicate: true, run: { run_id: first.run.run_id, status: 'succeeded' } });
    expect(made.of('run.queued')).toHaveLength(1);
  });

  it('are refused for another body, and belong to their principal', async () => {
    const made = await rig();
    await made.cell.submit(keyed({ speed: 1 }), PERSON);
    expect((await refusal(made, keyed({ speed: 0.5 }))).code).toBe('intent.duplicate');
    const other = await made.cell.submit(keyed({ speed: 0.5 }), { ...PERSON, principal: 'bob' });
    expect(other.duplicate).toBe(false);
  });

  it('are free again when opening failed', async () => {
    const made = await rig();
    made.disk.fault = new EdgeError('log.failed', { operation: 'append', subject: 'disk' });
    await refusal(made, keyed({}));
    made.disk.fault = undefined;
    expect((await made.cell.submit(keyed({}), PERSON)).duplicate).toBe(false);
  });
});

describe('policy hooks', () => {
  const hook = (name: string, decide: PolicyHook['decide']): PolicyHook => ({ name, decide });
  const cases: [string, PolicyHook['decide'], string, RegExp][] = [
    ['denies', async () => ({ decision: 'deny', reason: 'not today' }), 'policy.denied', /not today/],
    ['throws', async () => Promise.reject(new Error('boom')), 'policy.denied', /the hook failed: boom/],
    [
      'throws before it returns',
      () => {
        throw new Error('early');
      },
      'policy.denied',
      /the hook failed: early/,
    ],
    ['hangs', () => new Promise(() => {}), 'policy.denied', /no answer within 1000 ms/],
    ['babbles', async () => 'yes' as never, 'policy.denied', /did not answer with a decision/],
    [
      'allows by a word that is none',
      async () => ({ decision: 'ALLOW' }) as never,
      'policy.denied',
      /did not answer/,
    ],
  ];

  it.each(cases)('a hook that %s keeps the intent out', async (_name, decide, code, message) => {
    const made = await rig({
      hooks: [hook('yes', async () => ({ decision: 'allow', reason: '' })), hook('judge', decide)],
    });
    const answer = refusal(made, go({}));
    for (let i = 0; i < 12; i++) await made.clock.advance(100);
    const error = await answer;
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(made.of('policy.decided').map((event) => [event.payload.hook, event.payload.decision])).toEqual([
      ['yes', 'allow'],
      ['judge', 'deny'],
    ]);
    expect(made.of('intent.refused')).toHaveLength(1);
    expect(made.of('run.queued')).toEqual([]);
  });

  it('that answers after a stop lets no run begin that was asked for before it', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const slow = hook('slow', async () => {
      asked.resolve();
      await answer.promise;
      return { decision: 'allow', reason: '' };
    });
    const made = await rig({ hooks: [slow] });
    const submitted = made.cell.submit(go({}), PERSON);
    await asked.promise;
    made.cell.stops.note();
    answer.resolve();
    const { run } = await submitted;
    expect(made.cell.run(run.run_id)).toMatchObject({
      run: { status: 'cancelled' },
      reason: 'the robot was stopped after it was asked for',
    });
  });

  it('that asks for approval lets the intent in, and no step of it before a person agreed', async () => {
    const judge = hook('judge', async ({ point }) => ({
      decision: point === 'intent' ? 'needs_approval' : 'allow',
      reason: 'ask Ada',
    }));
    const made = await rig({ hooks: [judge] });
    const { run } = await made.cell.submit(go({}), PERSON);
    await made.until(() => made.cell.run(run.run_id).run.status === 'waiting_approval', 'the question');
    for (let i = 0; i < 20; i++) await made.clock.advance(100);
    expect(made.of('approval.requested').map(({ payload }) => [payload.point, payload.subject])).toEqual([
      ['intent', 'quick/go'],
    ]);
    expect(made.of('run.phase')).toEqual([]);
    expect(made.of('intent.refused')).toEqual([]);
    const [asked] = made.cell.approvals.approvals();
    await made.cell.approvals.answer(
      asked!.approval_id,
      'deny',
      { ...PERSON, principal: 'grace' },
      'not now',
    );
    await made.finished();
    expect(made.cell.run(run.run_id)).toMatchObject({
      run: { status: 'failed' },
      error: { code: 'policy.denied' },
    });
    expect(made.of('run.phase')).toEqual([]);
  });

  it('cannot change what they judge', async () => {
    const vandal = hook('vandal', async (question) => {
      (question.facts['params'] as Record<string, unknown>)['speed'] = 0;
      (question.context.roles as string[]).push('admin');
      return { decision: 'allow', reason: '' };
    });
    const made = await rig({ hooks: [vandal] });
    const { intent } = await made.cell.submit(go({ speed: 1 }), PERSON);
    expect(intent.params).toEqual({ speed: 1 });
    expect(intent.policy_ctx.roles).toEqual(['operator']);
  });
});

describe('loading applications', () => {
  it('refuses two that serve one intent type', () => {
    const twin = { ...quick, name: 'twin' };
    expect(() => new RuntimeRig({ apps: [quick, twin], robot: new FakeRobot({ cells: 2 }) })).toThrow(
      /quick\/go is served by both quick and twin/,
    );
  });

  it('refuses one without its harness', () => {
    const pi: Application = { ...quick, harness: 'pi' };
    expect(() => new RuntimeRig({ apps: [pi], robot: new FakeRobot({ cells: 2 }) })).toThrow(
      /there is no pi harness/,
    );
  });
});
