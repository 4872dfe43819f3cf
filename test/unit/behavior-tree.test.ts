import { describe, expect, it } from 'vitest';
import { graphMermaid, graphOf } from '../../cli/flow/flow-graph.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { treeApp, treeFaults, treeLab, treeOf, treeRun } from '../support/tree-lab.ts';

const act = (name: string) => `<lab.do it="${name}"/>`;
const all = (...names: string[]) => names.map(act).join('');

describe('nodes with children lead on as in BehaviorTree.CPP and Nav2', () => {
  it.each([
    ['Sequence', `<Sequence>${all('a', 'x', 'c')}</Sequence>`, 'failed', 'a x'],
    ['Fallback', `<Fallback>${all('x', 'b', 'c')}</Fallback>`, 'succeeded', 'x b'],
    ['Inverter', `<Sequence><Inverter>${act('x')}</Inverter>${act('b')}</Sequence>`, 'succeeded', 'x b'],
    [
      'ForceSuccess and ForceFailure',
      `<Sequence><ForceSuccess>${act('x')}</ForceSuccess><ForceFailure>${act('b')}</ForceFailure>${act('c')}</Sequence>`,
      'failed',
      'x b',
    ],
    [
      'IfThenElse',
      `<Sequence><IfThenElse>${all('x', 'b', 'c')}</IfThenElse><IfThenElse>${all('d', 'e')}</IfThenElse></Sequence>`,
      'succeeded',
      'x c d e',
    ],
    [
      'RetryUntilSuccessful',
      '<RetryUntilSuccessful num_attempts="3"><lab.flaky on="3"/></RetryUntilSuccessful>',
      'succeeded',
      'flaky 1 flaky 2 flaky 3',
    ],
    [
      'RetryUntilSuccessful that gives up',
      `<RetryUntilSuccessful num_attempts="{n}">${act('x')}</RetryUntilSuccessful>`,
      'failed',
      'x x',
    ],
    ['Repeat', `<Repeat num_cycles="3">${act('a')}</Repeat>`, 'succeeded', 'a a a'],
    [
      'Repeat within Repeat starts from zero',
      `<Repeat num_cycles="2"><Sequence>${act('a')}<Repeat num_cycles="2">${act('b')}</Repeat></Sequence></Repeat>`,
      'succeeded',
      'a b b a b b',
    ],
    [
      'KeepRunningUntilFailure',
      '<KeepRunningUntilFailure><Inverter><lab.flaky on="3"/></Inverter></KeepRunningUntilFailure>',
      'failed',
      'flaky 1 flaky 2 flaky 3',
    ],
    [
      'RecoveryNode',
      `<RecoveryNode number_of_retries="2"><lab.flaky on="3"/>${act('r')}</RecoveryNode>`,
      'succeeded',
      'flaky 1 r flaky 2 r flaky 3',
    ],
    [
      'RecoveryNode whose recovery fails',
      `<RecoveryNode number_of_retries="5"><lab.flaky on="9"/>${act('x')}</RecoveryNode>`,
      'failed',
      'flaky 1 x',
    ],
    [
      'RecoveryNode without retries left',
      `<RecoveryNode number_of_retries="1"><lab.flaky on="9"/>${act('r')}</RecoveryNode>`,
      'failed',
      'flaky 1 r flaky 2',
    ],
    [
      'RoundRobin goes on with each entry, past children that fail',
      `<Repeat num_cycles="4"><RoundRobin>${all('a', 'x', 'c')}</RoundRobin></Repeat>`,
      'succeeded',
      'a x c a x c',
    ],
    ['RoundRobin of which all fail', `<RoundRobin>${all('x1', 'x2')}</RoundRobin>`, 'failed', 'x1 x2'],
    [
      'SequenceWithMemory goes on with the child that failed',
      `<RetryUntilSuccessful num_attempts="3"><SequenceWithMemory>${act('a')}<lab.flaky on="2"/>${act('c')}</SequenceWithMemory></RetryUntilSuccessful>`,
      'succeeded',
      'a flaky 1 flaky 2 c',
    ],
    [
      'Repeat of no cycles, and RetryUntilSuccessful of no attempts',
      `<Sequence><Repeat num_cycles="0">${act('a')}</Repeat><SetBlackboard output_key="n" value="0"/><Fallback><RetryUntilSuccessful num_attempts="{n}">${act('a')}</RetryUntilSuccessful>${act('b')}</Fallback></Sequence>`,
      'succeeded',
      'b',
    ],
    [
      'AlwaysFailure and what cannot come after it',
      `<Fallback><AlwaysFailure/>${act('b')}</Fallback>`,
      'succeeded',
      'b',
    ],
  ])('%s', async (_name, body, status, done) => {
    const run = await treeRun(treeOf(body));
    expect([run.end.status, run.done.join(' ')]).toEqual([status, done]);
  });

  it('a failed tree says which node failed, in which line, and why', async () => {
    const { end } = await treeRun(treeOf('<Sequence>\n<lab.flaky on="2"/>\n</Sequence>'));
    expect(end).toMatchObject({ status: 'failed', reason: 'lab_flaky of line 4: not the 1. time', score: 0 });
  });
});

describe('the blackboard', () => {
  it('has the parameters, what nodes write, and subtrees with ports of their own', async () => {
    const body = `<Sequence>
  <SetBlackboard output_key="name" value="a"/>
  <SubTree ID="Twice" what="{name}"/>
  <SubTree ID="Twice" what="b"/>
  <lab.is it="door" result="{door}"/>
  <ScriptCondition code="door.n == 1"/>
  <ScriptCondition code="n >= 3"/>
</Sequence>`;
    const more = `<BehaviorTree ID="Twice"><Repeat num_cycles="{@n}"><lab.do it="{what}"/></Repeat></BehaviorTree>`;
    const run = await treeRun(treeOf(body, more), { door: true }, { n: 3 });
    expect([run.end.status, run.done.join(' ')]).toEqual(['succeeded', 'a a a b b b']);
    const no = await treeRun(treeOf(body, more), { door: true });
    expect(no.end).toMatchObject({ status: 'failed', reason: expect.stringMatching(/line 9: n >= 3/) });
  });

  it('a port without a value ends the run with a word about it, and does not count as a failure', async () => {
    const body = `<Fallback><NavigateToPose goal="{goal}"/>${act('b')}</Fallback>`;
    const { end, done } = await treeRun(treeOf(body));
    expect(end).toMatchObject({
      status: 'failed',
      error: {
        message: expect.stringMatching(/<NavigateToPose> of line 3, goal: \{goal\} has no value yet/),
      },
    });
    expect(done).toEqual([]);
  });
});

describe('what is asked again while an action runs', () => {
  it.each([
    [
      'ReactiveSequence: a condition that no longer holds ends it as failed',
      '<ReactiveSequence><lab.is it="free"/><lab.move it="m"/></ReactiveSequence>',
      { free: (n: number) => n < 2 },
      ['failed', 'm starts, m is stopped'],
    ],
    [
      'ReactiveSequence: it goes on while the condition holds',
      '<ReactiveSequence><lab.is it="free"/><lab.move it="m"/></ReactiveSequence>',
      { free: true },
      ['succeeded', 'm starts, m ends'],
    ],
    [
      'ReactiveFallback: a condition that becomes true ends it as succeeded',
      '<ReactiveFallback><lab.is it="there"/><lab.move it="m"/></ReactiveFallback>',
      { there: (n: number) => n > 1 },
      ['succeeded', 'm starts, m is stopped'],
    ],
    [
      'Timeout',
      '<Fallback><Timeout msec="1000"><Sequence><lab.move it="m"/><lab.do it="b"/></Sequence></Timeout><lab.do it="late"/></Fallback>',
      {},
      ['succeeded', 'm starts, m is stopped, late'],
    ],
    [
      'SequenceWithMemory: the child that a condition ended is the next one',
      '<RetryUntilSuccessful num_attempts="2"><ReactiveSequence><lab.is it="free"/><SequenceWithMemory><lab.do it="a"/><lab.move it="m"/><lab.do it="c"/></SequenceWithMemory></ReactiveSequence></RetryUntilSuccessful>',
      { free: (n: number) => n !== 4 },
      ['succeeded', 'a, m starts, m is stopped, m starts, m ends, c'],
    ],
    [
      'PipelineSequence: an earlier child that fails later ends the last one',
      '<Fallback><PipelineSequence><RateController hz="1"><lab.is it="way"/></RateController><lab.move it="m"/></PipelineSequence><lab.do it="after"/></Fallback>',
      { way: (n: number) => n < 2 },
      ['succeeded', 'm starts, m is stopped, after'],
    ],
  ])('%s', async (_name, body, world, expected) => {
    const { end, done } = await treeRun(treeOf(body), world);
    expect([end.status, done.join(', ')]).toEqual(expected);
  });

  it('RateController says how often', async () => {
    const body = (hz: string) =>
      `<PipelineSequence><RateController hz="${hz}"><lab.is it="way"/></RateController><lab.move it="m"/></PipelineSequence>`;
    const often = await treeRun(treeOf(body('3')), { way: true });
    const seldom = await treeRun(treeOf(body('0.9')), { way: true });
    expect(seldom.counts.get('way')).toBe(2);
    expect(often.counts.get('way')).toBeGreaterThan(3);
  });

  it('a drive starts again where its goal changes, and stops first', async () => {
    const body = `<PipelineSequence>
  <RateController hz="2"><Fallback>
    <Sequence><lab.is it="moved"/><SetBlackboard output_key="to" value="0.6;0"/></Sequence>
    <SetBlackboard output_key="to" value="3;0"/>
  </Fallback></RateController>
  <NavigateToPose goal="{to}"/>
</PipelineSequence>`;
    const { end, done } = await treeRun(treeOf(body), { slow: true, moved: (n: number) => n > 2 });
    expect([end.status, done]).toEqual([
      'succeeded',
      ['to 3', 'stopped on the way to 3', 'to 0.6', 'at 0.6'],
    ]);
  });

  it('Parallel: parts run at the same time, and what they wrote is there afterwards', async () => {
    const body = `<Sequence><Parallel>
  <Sequence><lab.move it="m"/><SetBlackboard output_key="left" value="1"/></Sequence>
  <Sequence>${act('a')}<SetBlackboard output_key="right" value="2"/></Sequence>
</Parallel><ScriptCondition code="left == 1"/><ScriptCondition code="right == 2"/></Sequence>`;
    const both = await treeRun(treeOf(body));
    expect([both.end.status, both.done.join(', ')]).toEqual(['succeeded', 'm starts, a, m ends']);
    const any = await treeRun(
      treeOf(`<Parallel success_count="1" failure_count="-1"><lab.move it="m"/>${act('a')}</Parallel>`),
    );
    expect([any.end.status, any.done.join(', ')]).toEqual(['succeeded', 'm starts, a, m is stopped']);
    const one = await treeRun(treeOf(`<Parallel><lab.move it="m"/>${act('x')}</Parallel>`));
    expect([one.end.status, one.done.join(', ')]).toEqual(['failed', 'm starts, x, m is stopped']);
  });
});

/** The pattern of Nav2's own trees: replanning beside the drive, recoveries in turn. */
const NAVIGATE = treeOf(
  `<RecoveryNode number_of_retries="3" name="NavigateRecovery">
  <PipelineSequence name="Navigate">
    <PlannerSelector selected_planner="{planner}" default_planner="GridBased" topic_name="planner_selector"/>
    <RateController hz="1.0">
      <RecoveryNode number_of_retries="1" name="Plan">
        <Fallback>
          <ReactiveSequence>
            <Inverter><GlobalUpdatedGoal/></Inverter>
            <IsGoalNearby path="{path}" proximity_threshold="0.1"/>
            <ValidatePath path="{path}"/>
          </ReactiveSequence>
          <ComputePathToPose goal="{goal}" path="{path}" planner_id="{planner}" error_code_id="{plan_code}"/>
        </Fallback>
        <Sequence>
          <WouldAPlannerRecoveryHelp error_code="{plan_code}"/>
          <ClearEntireCostmap service_name="global_costmap/clear"/>
        </Sequence>
      </RecoveryNode>
    </RateController>
    <FollowPath path="{path}" controller_id="FollowPath" error_code_id="{follow_code}" error_msg="{follow_msg}"/>
  </PipelineSequence>
  <Sequence>
    <WouldAControllerRecoveryHelp error_code="{follow_code}"/>
    <ReactiveFallback>
      <GoalUpdated/>
      <RoundRobin name="Recoveries">
        <Spin spin_dist="1.57"/>
        <Wait wait_duration="5"/>
        <BackUp backup_dist="0.3" backup_speed="0.05"/>
      </RoundRobin>
    </ReactiveFallback>
  </Sequence>
</RecoveryNode>`,
);

describe('a tree of the kind that Nav2 ships', () => {
  it('drives the robot to its goal', async () => {
    const { x, y } = new FakeRobot({ cells: 2 }).world.start;
    const { end, rig } = await treeRun(NAVIGATE, {}, { goal: { x: x + 0.2, y } });
    expect(end).toMatchObject({ status: 'succeeded', score: 1, summary: { blackboard: { follow_code: 0 } } });
    expect(rig.of('tool.called').map(({ payload }) => payload.tool)).toEqual(['robot.navigate']);
  });

  it('recovers in turn where the robot cannot come there, and fails when its retries are used up', async () => {
    const { end, rig } = await treeRun(NAVIGATE, {}, { goal: { x: -50, y: -50 } });
    expect(end).toMatchObject({ status: 'failed', summary: { blackboard: { follow_code: 106 } } });
    expect(end.reason).toMatch(/^follow_path of line \d+: no_path/);
    const calls = rig.of('tool.called').map(({ payload }) => payload.args['kind'] ?? payload.tool);
    expect(calls).toEqual([
      'robot.navigate',
      'spin',
      'robot.navigate',
      'robot.navigate',
      'drive',
      'robot.navigate',
    ]);
  });

  it('is drawn: every node that acts, counts or remembers, and the ways between them', () => {
    const drawing = graphMermaid(graphOf('lab', treeApp(NAVIGATE).flow!));
    for (const id of ['navigate_recovery', 'follow_path', 'recoveries', 'wait_until', 'back_up'])
      expect(drawing).toContain(`n_${id}[`);
    expect(drawing).toContain('n_follow_path -->|"failure, no_rate_controller"| n_navigate_recovery_failed');
    expect(drawing).toContain('n_recoveries -->|"turn_2"| n_wait');
  });
});

const DURABLE = treeOf(`<Sequence>
  <Repeat num_cycles="2"><Sequence><lab.do it="a"/><Wait wait_duration="1"/></Sequence></Repeat>
  <RecoveryNode number_of_retries="2"><lab.do it="x"/><RoundRobin><lab.do it="b"/><lab.do it="c"/></RoundRobin></RecoveryNode>
</Sequence>`);

it('goes on in its node after a cut at any place, with its counters, and to the same end', async () => {
  const whole = await treeRun(DURABLE);
  const order = ['a', 'a', 'x', 'b', 'x', 'c', 'x'];
  expect([whole.end.status, whole.done]).toEqual(['failed', order]);
  const places = Array.from({ length: whole.rig.appends.length }, (_, i) => i + 1);
  for (const append of places) {
    for (const when of ['before', 'after'] as const) {
      const { end, calls } = await cutAt({ append, when });
      expect({ append, when, status: end.status, calls }).toEqual({
        append,
        when,
        status: 'failed',
        calls: order,
      });
    }
  }
  expect(places.length).toBeGreaterThan(15);
});

/** Runs once, dies there, and goes on; `calls`: what was answered, in order. */
async function cutAt(cut: Cut) {
  const { tools } = treeLab();
  let rig: RuntimeRig | undefined;
  for (const one of [cut, undefined]) {
    rig = new RuntimeRig({
      ...{ apps: [treeApp(DURABLE)], robot: new FakeRobot({ cells: 2 }), options: { tools: () => tools } },
      ...(rig ? { disk: rig.disk, clock: rig.clock } : {}),
      ...(one ? { cut: one } : {}),
    });
    let up = false;
    void rig.cell.start().then(() => {
      up = true;
    });
    await rig.until(() => up, 'the start');
    if (rig.of('intent.accepted').length === 0 && !rig.dead)
      void rig.cell.submit({ type: 'lab/go' }, PERSON).catch(() => undefined);
    await rig.finished();
  }
  const names = new Map(
    rig!.of('tool.called').map(({ payload }) => [payload.call_id, String(payload.args['it'])]),
  );
  const calls = rig!.of('tool.returned').map(({ payload }) => names.get(payload.call_id));
  return { end: rig!.of('run.finished')[0]!.payload, calls };
}

describe('what is wrong with a tree is said with its line, its element and what to do', () => {
  it.each([
    ['<Spinn spin_dist="1"/>', /^flow\.xml:3: <Spinn>: is not known here; /],
    ['<spin spin_dist="1"/>', /<spin>: is not known here; did you mean Spin\?/],
    [
      '<PathLongerOnApproach path="{p}"><AlwaysSuccess/></PathLongerOnApproach>',
      /instead: nothing: paths are planned/,
    ],
    [
      '<Spin spin_distance="1"/>',
      /<Spin>: spin_distance is not a port: spin_dist, .*\n.*spin_dist is missing/,
    ],
    ['<Spin spin_dist="far"/>', /<Spin>: spin_dist: expected a number, found "far"/],
    ['<Spin spin_dist="99"/>', /<Spin>: spin_dist: expected -25 to 25, found 99/],
    ['<NavigateToPose goal="1;2;3;4"/>', /goal: expected a pose/],
    ['<FollowPath path="{path}"/>', /\{path\} is neither a parameter of an intent nor written by a node; /],
    [
      '<arm.move joints="{n}"/>',
      /<arm\.move>: calls arm\.move, which is not among tools of app\.toml: lab\.\*, robot\.\*/,
    ],
    ['<Sequence/>', /<Sequence>: has 1 to 64 children, found 0/],
    ['<Inverter><AlwaysSuccess/><AlwaysSuccess/></Inverter>', /<Inverter>: has 1 child, found 2/],
    ['<RecoveryNode number_of_retries="1"><AlwaysSuccess/></RecoveryNode>', /has 2 children, found 1/],
    [
      '<ReactiveSequence><Spin spin_dist="1"/><AlwaysSuccess/></ReactiveSequence>',
      /<Spin>: stands before the last child of ReactiveSequence .* use Sequence/,
    ],
    [
      '<Parallel success_count="2"><AlwaysSuccess/><AlwaysSuccess/><AlwaysSuccess/></Parallel>',
      /all have to succeed/,
    ],
    [
      '<Parallel><Parallel><AlwaysSuccess/><AlwaysSuccess/></Parallel><AlwaysSuccess/></Parallel>',
      /stands within a Parallel/,
    ],
    ['<SubTree ID="Other"/>', /<SubTree>: "Other" is not a tree of this file: Main/],
    ['<SubTree ID="Main"/>', /<SubTree>: contains itself: Main > Main/],
    ['<lab.do it="a" _skipIf="n == 1"/>', /_skipIf is not read; write a condition as a node/],
    ['<ScriptCondition code="n := 2"/>', /code is one comparison: KEY ==/],
    [
      '<KeepRunningUntilFailure><AlwaysSuccess/></KeepRunningUntilFailure>',
      /no state ends the run|no way leads/,
    ],
  ])('%s', (body, words) => {
    expect(treeFaults(treeOf(body))).toMatch(words);
  });

  it('version 3, other files and two ways to write a flow', () => {
    expect(treeFaults(treeOf('<AlwaysSuccess/>').replace(' BTCPP_format="4"', ''))).toMatch(
      /^flow\.xml:1: <root>: BTCPP_format="4" is expected, found none/,
    );
    expect(treeFaults(treeOf('<AlwaysSuccess/>', '<include path="a.xml"/>\n'))).toMatch(
      /<include>: other files are not read: write their trees here/,
    );
    expect(treeFaults(treeOf('<AlwaysSuccess/>').replace('"Main">', '"Mian">'))).toMatch(
      /main_tree_to_execute "Mian" is not a tree: Main/,
    );
  });
});
