import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { describe, expect, it, vi } from 'vitest';
import {
  appOfQuestions,
  CedarJudge,
  checkPackagePolicies,
  judgeWithPackages,
  neverJudged,
  openPolicySet,
  PolicyBook,
  packagePolicyFaults,
  SiteAndPackages,
} from '../../adapters/cedar/index.ts';
import { checkHere } from '../../adapters/cedar/policy-check.ts';
import { PackageShelf } from '../../adapters/packages/index.ts';
import {
  type Application,
  EdgeError,
  type HookQuestion,
  type PolicyHook,
  type PolicyRequest,
} from '../../contract/index.ts';
import { rejudge } from '../../history/rejudge.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { tool } from '../support/agent-apps.ts';
import { packageApp, packageFaults } from '../support/package-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const manifest = (name: string) => `name = "${name}"
version = "1.0.0"
description = "Lifts"
harness = "flow"
tools = ["lab.lift"]
[[intents]]
type = "${name}/go"
description = "Go"
[intents.params.properties.kg]
type = "number"
`;
const FLOW =
  'steps:\n  - id: lift\n    tool: lab.lift\n    args: { kg: "{/params/kg}" }\n  - id: done\n    end: succeeded\n    reason: lifted\n';
const LIGHT = `@id("light") @reason("too heavy for this gripper")
forbid (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"lab.lift")
when { context.numbers.hasTag("kg") && context.numbers.getTag("kg").greaterThan(decimal("5.0")) };
`;
const files = (name: string, policy?: string) => ({
  'app.toml': manifest(name),
  'flow.yaml': FLOW,
  ...(policy === undefined ? {} : { 'policies/own.cedar': policy }),
});

const PERMIT = 'permit (principal, action, resource);';
const NO_LIFT = `${PERMIT}\n@id("closed") @reason("the lab is closed") forbid (principal, action, resource == Auraison::Tool::"lab.lift");`;

const REQUEST: PolicyRequest = {
  point: 'tool',
  principal: { tenant: 'lab', id: 'ada', roles: ['operator'], origin: 'cli' },
  resource: { type: 'Tool', id: 'lab.lift', parents: [] } as unknown as PolicyRequest['resource'],
  robot: 'robot',
  ts_ms: 0,
  about: { effect: 'write' },
  facts: { kg: 7 },
  entities: [],
};

async function runOf(apps: readonly Application[], type: string, kg: number, site = PERMIT) {
  const { rig, book } = await rigOf(apps, site);
  await rig.cell.start();
  await rig.cell.submit({ type, params: { kg } }, PERSON);
  await rig.finished();
  return { rig, book, end: rig.of('run.finished')[0]!.payload };
}

async function rigOf(
  apps: readonly Application[],
  text = PERMIT,
  works: Readonly<Record<string, Work>> = {},
) {
  const book = await PolicyBook.open({
    ...{ robot: 'robot', clock: new ManualClock() },
    read: () => ({
      policies: [{ file: 'site.cedar', text }],
      entities: { file: 'entities.json', text: '' },
    }),
    standing: ({ roles }) => ({ ok: true, roles }),
  });
  const appOf = ({ runId, about }: HookQuestion): Application | undefined =>
    runId === undefined ? apps.find(({ name }) => name === about?.['app']) : rig.cell.apps.of(runId);
  const site: HookQuestion[] = [];
  const heard: PolicyHook = {
    name: book.name,
    decide: (question) => {
      site.push(question);
      return book.decide(question);
    },
  };
  const input = Type.Object({ kg: Type.Number() }, { additionalProperties: false });
  const lift = tool('lab.lift', { input, effect: 'write' }, async () => ({ result: {} }));
  const rig: RuntimeRig = new RuntimeRig({
    ...{ apps, robot: new FakeRobot({ cells: 2 }), hooks: [new SiteAndPackages(heard, appOf)] },
    options: { ...agents(works), tools: () => [lift] },
  });
  return { rig, book, site };
}

describe('policies of a package', () => {
  it('forbid in its own runs, with their id and reason in the log', async () => {
    const apps = [packageApp(files('crane', LIGHT))];
    expect((await runOf(apps, 'crane/go', 3)).end).toMatchObject({ status: 'succeeded' });
    const { rig, end } = await runOf(apps, 'crane/go', 7);
    expect(end).toMatchObject({ status: 'failed', error: { code: 'policy.denied' } });
    const denied = rig.of('policy.decided').filter(({ payload }) => payload.decision === 'deny');
    expect(denied.map(({ payload }) => [payload.determining, payload.reason])).toEqual([
      [['crane/policies/own.cedar#light'], expect.stringContaining('too heavy for this gripper')],
    ]);
  });

  it('are asked about messages to its runs, with what the daemon knows of the run', async () => {
    const quiet = `@id("quiet") @reason("do not disturb")
forbid (principal, action == Auraison::Action::"intent", resource) when { context.texts.hasTag("message.text") };`;
    const crane = { ...agentApp('crane'), policies: [{ file: 'policies/own.cedar', text: quiet }] };
    const { rig, site } = await rigOf([crane, agentApp('truck')], PERMIT, { crane: forever, truck: forever });
    await rig.cell.start();
    const say = async (type: string) => {
      const { run } = await rig.cell.submit({ type }, PERSON);
      await rig.until(() => rig.of('run.started').some(({ run_id }) => run_id === run.run_id), 'its start');
      const said = rig.cell.control.message(run.run_id, { kind: 'steer', text: 'left' }, PERSON);
      const code = await said.then(
        () => 'taken',
        (error: EdgeError) => error.code,
      );
      await rig.cell.cancel(run.run_id, 'enough');
      return { code, runId: run.run_id };
    };
    const { code, runId } = await say('crane/go');
    expect(code).toBe('policy.denied');
    expect(rig.of('policy.decided').at(-1)).toMatchObject({
      run_id: runId,
      payload: { determining: ['crane/policies/own.cedar#quiet'], app: 'crane' },
    });
    expect(site.at(-1)).toMatchObject({ runId, about: { app: 'crane', intent: 'crane/go' } });
    expect((await say('truck/go')).code).toBe('taken');
  });

  it('are closed again: sets of former versions do not pile up in Cedar', async () => {
    const closed = vi.spyOn(CedarJudge.prototype, 'close');
    let app = packageApp(files('crane', LIGHT));
    const site: PolicyHook = {
      name: 'site',
      decide: async () => ({ decision: 'allow', reason: '', request: REQUEST }),
    };
    const both = new SiteAndPackages(site, () => app);
    const question = { point: 'tool', subject: 'lab.lift', context: PERSON, facts: {} } as const;
    const reload = async (policy: string) => {
      app = { ...app, policies: [{ file: 'policies/own.cedar', text: policy }] };
      return (await both.decide(question)).decision;
    };
    closed.mockClear();
    // The same text again is the same set.
    for (let n = 0; n < 70; n++) expect(await reload(LIGHT)).toBe('deny');
    expect(closed).toHaveBeenCalledTimes(0);
    for (let n = 0; n < 80; n++) expect(await reload(`${LIGHT}// ${n}`)).toBe('deny');
    expect(closed.mock.calls.length).toBe(81 - 64);
    // One that was closed is parsed again.
    expect(await reload(LIGHT)).toBe('deny');
    closed.mockRestore();
  });

  it('are no difference when the history is judged again with the same packages, and one without them', async () => {
    const apps = [packageApp(files('crane', LIGHT))];
    const { rig, book } = await runOf(apps, 'crane/go', 7);
    const decided = rig.of('policy.decided');
    const denied = decided.filter(({ payload }) => payload.decision === 'deny');
    expect(denied.map(({ payload }) => payload.app)).toEqual(['crane']);
    const { judge } = await openPolicySet(book.source!);
    const all = decided.length;
    const over = (now: readonly Application[]) =>
      rejudge(
        [{ ...rig.context.log.reader(), read: (after) => decided.filter(({ seq }) => seq > after) }],
        judgeWithPackages(judge, appOfQuestions(now)),
        0,
      );
    expect(await over(apps)).toMatchObject({ judged: all, same: all, different: 0, not_judged: 0 });
    expect(await over([])).toMatchObject({ judged: all, same: all - 1, different: 1, not_judged: 0 });
  });

  it('say nothing about the runs of others', async () => {
    const everything = '@id("all") forbid (principal, action, resource);';
    const apps = [packageApp(files('crane', everything)), packageApp(files('truck'))];
    expect((await runOf(apps, 'truck/go', 7)).end).toMatchObject({ status: 'succeeded' });
    await expect(runOf(apps, 'crane/go', 1)).rejects.toMatchObject({ code: 'policy.denied' });
  });

  it('never allow what the site forbids', async () => {
    const { rig, end } = await runOf([packageApp(files('crane', LIGHT))], 'crane/go', 3, NO_LIFT);
    expect(end).toMatchObject({ status: 'failed', error: { code: 'policy.denied' } });
    expect(rig.of('policy.decided').at(-1)!.payload.determining).toEqual(['site.cedar#closed']);
  });

  it.each([
    ['that permits', `\n${PERMIT}`, /^policies\/own\.cedar:2: permits something; a package only forbids/],
    ['that cannot be parsed', 'forbid (principal,\n action resource);', /^policies\/own\.cedar:2: /],
    [
      'that names what there is not',
      'forbid (principal, action, resource) when { context.nothing };',
      /^policies\/own\.cedar:1: .*nothing/,
    ],
    ['with an unknown annotation', '@nope("x") forbid (principal, action, resource);', /@nope is unknown/],
  ])('with a policy %s are a fault of the package, with its line', (_what, policy, words) => {
    expect(packageFaults(files('crane', policy))).toMatch(words);
  });
});

describe('policies about what is never judged', () => {
  it('are named with file and line, those in comments are not', () => {
    const text = `${PERMIT}
// resource == Auraison::Tool::"robot.stop"
@reason("see http://a // b") forbid (principal, action, resource == Auraison::Tool::"run.cancel");
forbid (principal, action, resource) unless { resource == Auraison::Tool::"robot.stop" }; // Tool::"run.cancel"
forbid (principal, action, resource == Auraison::Tool::"robot.stopwatch");`;
    expect(neverJudged([{ file: 'a.cedar', text }])).toEqual([
      expect.stringMatching(/^a\.cedar:3: names run\.cancel, which is never judged/),
      expect.stringMatching(/^a\.cedar:4: names robot\.stop, which is never judged/),
    ]);
  });
});

describe('policies of a package that take long to check', () => {
  const text = (name: string) => LIGHT.replaceAll('light', name);

  it('are judged after their check, which may be in another thread, and checked once', async () => {
    const app = { ...agentApp('crane'), policies: [{ file: 'policies/own.cedar', text: text('slow') }] };
    const site: PolicyHook = {
      name: 'site',
      decide: async () => ({
        ...{ decision: 'allow', reason: 'yes', policySha256: 'a', request: REQUEST, determining: [] },
      }),
    };
    const open = Promise.withResolvers<void>();
    let checks = 0;
    const both = new SiteAndPackages(
      site,
      () => app,
      async (files) => {
        checks += 1;
        await open.promise;
        return await checkHere(files);
      },
    );
    const question = { point: 'tool', subject: 'lab.lift' } as HookQuestion;
    let decided = 0;
    const asked = [both.decide(question), both.decide(question)].map(async (one) => {
      const { decision } = await one;
      decided += 1;
      return decision;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([checks, decided]).toEqual([1, 0]);
    open.resolve();
    expect(await Promise.all(asked)).toEqual(['deny', 'deny']);
    expect((await both.decide(question)).decision).toBe('deny');
    expect(checks).toBe(1);
  });

  it.each([
    ['good', LIGHT.replaceAll('light', 'ahead'), 0],
    ['one that permits', 'permit (principal, action, resource);', 1],
    ['one that is broken', '@id("ahead") forbid (', 1],
  ])('are known to the reader of packages where they were checked ahead: %s', async (_, policy, count) => {
    const file = 'policies/ahead.cedar';
    await checkPackagePolicies([{ file, text: `${policy}// ahead` }], checkHere);
    // Another text, so that it is checked here.
    const here = packagePolicyFaults(file, `${policy}// here`);
    expect(here).toHaveLength(count);
    expect(packagePolicyFaults(file, `${policy}// ahead`)).toEqual(here);
  });

  it('are checked again after a check that took too long', async () => {
    const policy = { file: 'policies/late.cedar', text: `${LIGHT}// late` };
    const late = async () => {
      throw new EdgeError('deadline.exceeded', {
        ...{ operation: 'check', subject: 'policies', message: 'no answer within 10000 ms' },
      });
    };
    await checkPackagePolicies([policy], late);
    expect(packagePolicyFaults(policy.file, policy.text)).toMatchObject([
      { problem: 'no answer within 10000 ms' },
    ]);
    await checkPackagePolicies([policy], checkHere);
    expect(packagePolicyFaults(policy.file, policy.text)).toEqual([]);
    const again = vi.fn(checkHere);
    await checkPackagePolicies([policy], again);
    expect(again).not.toHaveBeenCalled();
  });

  it('are given to the check before a reload reads them', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'packages-'));
    mkdirSync(join(dir, 'crane', 'policies'), { recursive: true });
    writeFileSync(join(dir, 'crane', 'app.toml'), manifest('crane'));
    writeFileSync(join(dir, 'crane', 'policies', 'own.cedar'), LIGHT);
    writeFileSync(join(dir, 'crane', 'policies', 'notes.txt'), 'no policy');
    const seen: unknown[] = [];
    const shelf = new PackageShelf(
      {
        ...{ dataDir: join(dir, 'data'), dirs: [dir], requireSigned: false, modules: 'none' },
        ...{ rules: () => ({ keys: new Map(), requireSigned: false, modules: 'none' }), own: {} as never },
        read: () => ({ ok: false, name: 'crane', faults: [] }),
        checkPolicies: async (files: readonly unknown[]) => void seen.push(...files),
      } as never,
      [],
    );
    await shelf.prepare();
    expect(seen).toEqual([{ file: 'policies/own.cedar', text: LIGHT }]);
    rmSync(dir, { recursive: true });
  });
});
