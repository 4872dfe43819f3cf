import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decimalOf } from '../../adapters/cedar/decimal.ts';
import { flatten } from '../../adapters/cedar/flatten.ts';
import {
  BUILT_IN,
  BuiltInJudge,
  CedarJudge,
  EntityFile,
  loadCedar,
  PolicyBook,
} from '../../adapters/cedar/index.ts';
import type { HookQuestion, PolicyContext, PolicyRequest } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

type Cedar = Awaited<ReturnType<typeof loadCedar>>;
let cedar: Cedar;
beforeAll(async () => {
  cedar = await loadCedar();
});

const ADA: PolicyContext = { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'api' };
const tool = (name: string, facts: Record<string, unknown> = {}, context = ADA): HookQuestion => ({
  point: 'tool',
  subject: name,
  context,
  facts,
  about: { effect: 'actuate', intent: 'maze/go' },
});

/** A book over texts that a test may change. */
async function bookOf(text: string, entities: unknown[] = []) {
  const source = { text, entities };
  const book = await PolicyBook.open({
    robot: 'tb1',
    clock: new ManualClock(),
    read: () => ({
      policies: source.text === '' ? [] : [{ file: 'site.cedar', text: source.text }],
      entities: {
        file: 'entities.json',
        text: source.entities.length === 0 ? '' : JSON.stringify(source.entities),
      },
    }),
    standing: ({ roles }) => ({ ok: true, roles }),
  });
  return { book, source };
}

const ALLOW = '@id("all") permit (principal, action, resource);\n';

describe('policies in Cedar', () => {
  it('limit a speed, however the number was written, and say which policy did', async () => {
    const { book } = await bookOf(`${ALLOW}
@id("slow") @reason("people are near")
forbid (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"robot.maneuver")
when { context.numbers.hasTag("speed") && context.numbers.getTag("speed").greaterThan(decimal("0.5")) };`);
    for (const [speed, decision] of [
      [0.5, 'allow'],
      [0.50001, 'deny'],
      [1, 'deny'],
      [-3, 'allow'],
      [1e-9, 'allow'],
    ] as const) {
      const answer = await book.decide(tool('robot.maneuver', { speed }));
      expect([speed, answer.decision]).toEqual([speed, decision]);
      if (decision === 'deny') {
        expect(answer.reason).toBe('forbidden by site.cedar#slow: people are near');
        expect(answer.determining).toEqual(['site.cedar#slow']);
      }
    }
    expect((await book.decide(tool('robot.navigate', { speed: 9 }))).decision).toBe('allow');
  });

  it('ask a person, with the time and the roles that the policy names', async () => {
    const { book } =
      await bookOf(`@approve("the arm moves near people") @timeout("90 s") @approvers("safety, lead")
permit (principal in Auraison::Role::"operator", action == Auraison::Action::"tool", resource in Auraison::Group::"arm");`);
    expect(await book.decide(tool('arm.move'))).toMatchObject({
      decision: 'needs_approval',
      reason: 'the arm moves near people',
      approval: { timeoutMs: 90_000, roles: ['safety', 'lead'] },
    });
    expect((await book.decide(tool('arm.move', {}, { ...ADA, roles: [] }))).decision).toBe('deny');
  });

  it('take the strictest of several that ask', async () => {
    const { book } = await bookOf(`${ALLOW}
@approve("a") @timeout("2 min") @approvers("lead, safety") permit (principal, action, resource);
@approve("b") @timeout("1 min") @approvers("safety") permit (principal, action, resource);`);
    expect(await book.decide(tool('robot.navigate'))).toMatchObject({
      decision: 'needs_approval',
      approval: { timeoutMs: 60_000, roles: ['safety'] },
    });
  });

  it('deny where a policy fails, which Cedar itself would pass over', async () => {
    const { book } = await bookOf(`${ALLOW}
@id("broken") forbid (principal, action == Auraison::Action::"tool", resource)
when { context.numbers has "speed" || decimal("9.9").lessThan(decimal("1.0")) || 9223372036854775807 + context.texts.getTag("n").containsAll() == 1 };`).catch(
      () => ({ book: undefined }),
    );
    expect(book).toBeUndefined();
    const late = await bookOf(`${ALLOW}
@id("overflow") forbid (principal, action == Auraison::Action::"tool", resource)
when { context.texts.hasTag("n") && 9223372036854775807 + 1 == 0 };`);
    expect((await late.book.decide(tool('robot.stop'))).decision).toBe('allow');
    expect(await late.book.decide(tool('robot.stop', { n: 'x' }))).toMatchObject({
      decision: 'deny',
      determining: ['site.cedar#overflow'],
    });
  });

  it('refuse what cannot be judged: no number, too large, too much, too deep', async () => {
    const { book } = await bookOf(ALLOW);
    let deep: unknown = 1;
    for (let i = 0; i < 40; i++) deep = { deep };
    for (const facts of [
      { x: Number.NaN },
      { x: Number.POSITIVE_INFINITY },
      { x: 2 ** 53 + 2 },
      { x: -1e300 },
      { x: 10n },
      { x: 'lone \ud800 surrogate' },
      { 'key \udfff': 1 },
      { deep },
      { many: Array.from({ length: 5_000 }, () => 0) },
    ]) {
      const answer = await book.decide(tool('robot.maneuver', facts));
      expect([Object.keys(facts), answer.decision]).toEqual([Object.keys(facts), 'deny']);
      expect(answer.reason).toMatch(/^cannot be judged: /);
    }
  });

  it('never confuse two names', async () => {
    const { book } = await bookOf(`permit (principal == Auraison::User::"lab:ada", action, resource)
when { context.texts.hasTag("a.b") };`);
    expect((await book.decide(tool('t', { a: { b: 'x' } }))).decision).toBe('allow');
    expect((await book.decide(tool('t', { 'a.b': 'x' }))).decision).toBe('deny');
    for (const principal of ['Ada', 'ада', 'ada ', 'a\u0000da', 'ada"', 'ada\\', 'lab:ada'])
      expect((await book.decide(tool('t', { a: { b: 'x' } }, { ...ADA, principal }))).decision).toBe('deny');
    for (const name of [
      'robot.navigate"; permit(principal,action,resource);',
      '🤖',
      'a'.repeat(10_000),
      '..',
      '',
    ])
      expect((await book.decide(tool(name, {}))).decision).toBe('deny');
  });

  it('know the roles of a directory of 10,000 people, and take along only what a question reaches', async () => {
    const uid = (type: string, id: string) => ({ type: `Auraison::${type}`, id });
    const people = Array.from({ length: 10_000 }, (_, i) => ({
      uid: uid('User', `lab:p${i}`),
      attrs: {},
      parents: [uid('Role', i === 77 ? 'safety' : 'guest')],
    }));
    const { book } = await bookOf('permit (principal in Auraison::Role::"operator", action, resource);', [
      ...people,
      { uid: uid('Role', 'safety'), attrs: {}, parents: [uid('Role', 'operator')] },
    ]);
    const as = (principal: string) => book.decide(tool('robot.stop', {}, { ...ADA, principal, roles: [] }));
    const safe = await as('p77');
    expect(safe.decision).toBe('allow');
    expect((safe.request as unknown as PolicyRequest).entities).toHaveLength(2);
    expect((await as('p78')).decision).toBe('deny');
    expect((await as('stranger')).decision).toBe('deny');
  });
});

describe('a fault in a policy', () => {
  const cases: [string, string, RegExp][] = [
    ['a word that is missing', `${ALLOW}\npermit (principal, action resource);`, /^site\.cedar:3: /],
    [
      'an attribute that is not in the schema',
      `${ALLOW}\n@id("x") permit (principal, action, resource)\nwhen {\n context.speed == 1 };`,
      /^site\.cedar:5: policy site\.cedar#x: .*speed/,
    ],
    [
      'a type that does not exist',
      'permit (principal, action, resource == Auraison::Door::"1");',
      /^site\.cedar:1: .*Door/,
    ],
    [
      'an annotation that nobody knows',
      '\n@aprove("x") permit (principal, action, resource);',
      /^site\.cedar:2: .*@aprove is unknown/,
    ],
    [
      '@approve on a prohibition',
      '@approve("x") forbid (principal, action, resource);',
      /allowed only on a permit/,
    ],
    [
      'a time that is none',
      '@approve("x") @timeout("soon") permit (principal, action, resource);',
      /@timeout\("soon"\)/,
    ],
    ['a template', 'permit (principal == ?principal, action, resource);', /templates/],
    ['two of one name', `${ALLOW}${ALLOW}`, /site\.cedar:2: .*same @id/],
  ];
  it.each(cases)('%s is told with file and line', async (_, text, message) => {
    await expect(bookOf(text)).rejects.toMatchObject({
      code: 'policy.invalid',
      message: expect.stringMatching(message),
    });
  });

  it('at a reload keeps what was in force, and says so until one works', async () => {
    const { book, source } = await bookOf('@id("a") permit (principal, action, resource);');
    const before = book.sha256;
    source.text = 'permit (';
    await expect(book.reload()).rejects.toMatchObject({ code: 'policy.invalid' });
    expect(book.sha256).toBe(before);
    expect(book.view().reload_error).toMatch(/^site\.cedar:1: /);
    expect((await book.decide(tool('robot.stop'))).decision).toBe('allow');
    source.text = '@id("b") forbid (principal, action, resource);';
    expect(await book.reload()).toBe(true);
    expect(book.sha256).not.toBe(before);
    expect(book.view()).toMatchObject({ reload_error: undefined, policy_sha256: book.sha256 });
    expect((await book.decide(tool('robot.stop'))).decision).toBe('deny');
    // Many reloads use the same two places of Cedar.
    for (let i = 0; i < 50; i++) {
      source.text = `@id("n") ${i % 2 ? 'permit' : 'forbid'} (principal, action, resource);`;
      await book.reload();
      expect((await book.decide(tool('robot.stop'))).decision).toBe(i % 2 ? 'allow' : 'deny');
    }
  });

  it('is told for entities that belong to themselves', () => {
    const uid = (id: string) => ({ type: 'Auraison::Role', id });
    const circle = [
      { uid: uid('a'), attrs: {}, parents: [uid('b')] },
      { uid: uid('b'), attrs: {}, parents: [uid('a')] },
    ];
    expect(() => new EntityFile('entities.json', JSON.stringify(circle))).toThrow(/belongs to itself/);
    const steal = [{ uid: { type: 'Auraison::Tool', id: 't' }, attrs: {}, parents: [] }];
    expect(() => new EntityFile('entities.json', JSON.stringify(steal))).toThrow(/Auraison::User/);
  });
});

describe('the policies that are built in', () => {
  it('decide by hand as Cedar decides', () => {
    const byCedar = new CedarJudge(cedar, BUILT_IN);
    const byHand = new BuiltInJudge();
    expect(byHand.sha256).toBe(byCedar.sha256);
    expect(byHand.policies.map(({ id, line }) => ({ id, line }))).toEqual(
      byCedar.policies.map(({ id, line }) => ({ id, line })),
    );
    const name = fc.constantFrom('ada', 'bob', 'lab', 'operator');
    const request: fc.Arbitrary<PolicyRequest> = fc.record({
      point: fc.constantFrom('intent', 'tool', 'model', 'egress', 'approval'),
      principal: fc.record({
        tenant: name,
        id: name,
        roles: fc.uniqueArray(fc.constantFrom('operator', 'guest', 'Operator', 'schedule'), { maxLength: 3 }),
        origin: fc.constantFrom('api', 'mcp', 'central', 'schedule', 'run'),
      }),
      resource: fc.constant({ type: 'X', id: 'x', parents: [] }),
      robot: name,
      ts_ms: fc.nat(2 ** 41),
      about: fc.record({ tenant: name, requester: name, point: name, subject: name }),
      facts: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>, { maxKeys: 4 }),
      entities: fc.constant([]),
    }) as fc.Arbitrary<PolicyRequest>;
    const types = { intent: 'Intent', tool: 'Tool', model: 'Model', egress: 'Egress', approval: 'Approval' };
    fc.assert(
      fc.property(request, (asked) => {
        const one = { ...asked, resource: { ...asked.resource, type: types[asked.point] } };
        const [hand, real] = [byHand.judge(one), byCedar.judge(one)];
        expect(hand).toEqual(real);
      }),
      { numRuns: 300 },
    );
    byCedar.close();
  });

  it('let a schedule of a package open its intent and call tools, and do nothing else', () => {
    const judge = new BuiltInJudge();
    const verdict = (point: PolicyRequest['point'], origin: string) =>
      judge.judge({
        ...{ point, robot: 'r1', ts_ms: 0, facts: {}, entities: [] },
        principal: { tenant: 'local', id: 'schedule/patrol.nightly', roles: ['schedule'], origin },
        resource: { type: 'X', id: 'x', parents: [] },
        about: { tenant: 'local', requester: 'ada', point: 'tool', subject: 'robot.navigate' },
      } as unknown as PolicyRequest).decision;
    expect([verdict('intent', 'schedule'), verdict('tool', 'schedule')]).toEqual(['allow', 'allow']);
    // A run that it asks for, a token with that role, and an answer to somebody's approval.
    expect([verdict('intent', 'run'), verdict('intent', 'api'), verdict('approval', 'schedule')]).toEqual([
      ...['deny', 'deny', 'deny'],
    ]);
  });
});

describe('numbers', () => {
  it('keep four digits, and what is beyond is rounded away from zero', () => {
    const digits = (value: number) => decimalOf(value);
    expect([1, 1.1, 0.46, -0.00001, 0, -0, 1e-7, 123456.78901].map(digits)).toEqual([
      '1.0000',
      '1.1000',
      '0.4600',
      '-0.0001',
      '0.0',
      '0.0',
      '0.0001',
      '123456.7891',
    ]);
    expect([1e15, -1e21, Number.NaN, Number.MAX_SAFE_INTEGER].map(digits)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('never look smaller than they are', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e14, max: 1e14, noNaN: true }), (value) => {
        const shown = Number(decimalOf(value));
        expect(Math.abs(shown)).toBeGreaterThanOrEqual(Math.abs(value) * (1 - 1e-15));
        expect(Math.abs(shown - value)).toBeLessThanOrEqual(1e-4 + Math.abs(value) * 1e-15);
      }),
    );
  });

  it('stand under their path, lists with their length', () => {
    const flat = flatten({ pose: { x: 1 }, points: [{ y: 2 }], on: true, name: 'a', none: null });
    expect([...flat.numbers].sort()).toEqual([
      ['points.0.y', '2.0000'],
      ['points.length', '1.0000'],
      ['pose.x', '1.0000'],
    ]);
    expect([...flat.texts, ...flat.flags]).toEqual([
      ['name', 'a'],
      ['on', true],
    ]);
  });
});
