import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { openPolicySet, PolicyBook, SiteAndPackages } from '../../adapters/cedar/index.ts';
import type { AgentEvent, Application, HookQuestion } from '../../contract/index.ts';
import { rejudge } from '../../history/rejudge.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
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

async function runOf(apps: readonly Application[], type: string, kg: number, site = PERMIT) {
  const book = await PolicyBook.open({
    ...{ robot: 'robot', clock: new ManualClock() },
    read: () => ({
      policies: [{ file: 'site.cedar', text: site }],
      entities: { file: 'entities.json', text: '' },
    }),
    standing: ({ roles }) => ({ ok: true, roles }),
  });
  const appOf = ({ runId, about }: HookQuestion): Application | undefined =>
    runId === undefined ? apps.find(({ name }) => name === about?.['app']) : rig.cell.apps.of(runId);
  const input = Type.Object({ kg: Type.Number() }, { additionalProperties: false });
  const lift = tool('lab.lift', { input, effect: 'write' }, async () => ({ result: {} }));
  const rig: RuntimeRig = new RuntimeRig({
    ...{ apps, robot: new FakeRobot({ cells: 2 }), hooks: [new SiteAndPackages(book, appOf)] },
    options: { tools: () => [lift] },
  });
  await rig.cell.start();
  await rig.cell.submit({ type, params: { kg } }, PERSON);
  await rig.finished();
  return { rig, book, end: rig.of('run.finished')[0]!.payload };
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

  it('are no difference when the history is judged again by the policies of the site', async () => {
    const { rig, book } = await runOf([packageApp(files('crane', LIGHT))], 'crane/go', 7);
    const denied = rig.of('policy.decided').filter(({ payload }) => payload.decision === 'deny');
    expect(denied.map(({ payload }) => payload.app)).toEqual(['crane']);
    const { judge } = await openPolicySet(book.source!);
    const decided = rig.of('policy.decided');
    const all = decided.length;
    const over = (events: readonly AgentEvent[]) =>
      rejudge(
        [{ ...rig.context.log.reader(), read: (after) => events.filter(({ seq }) => seq > after) }],
        judge,
        0,
      );
    const whole = { judged: all - 1, same: all - 1, different: 0, not_judged: 1, differences: [] };
    expect(await over(decided)).toMatchObject(whole);
    // Logs of before do not name the package.
    const old = decided.map((event) => {
      const { app: _, ...payload } = event.payload;
      return { ...event, payload };
    });
    expect(await over(old)).toMatchObject(whole);
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
