import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import {
  type Application,
  type HookQuestion,
  METHODS,
  type NewEvent,
  type PolicyContext,
  type Tool,
} from '../../contract/index.ts';
import type { HttpPorts } from '../../daemon/http/http-ports.ts';
import { judgeAction, judgeMotion, motionFactsOf } from '../../daemon/runtime/law/motion-law.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { motionTools } from '../../daemon/runtime/tools/motion-tools.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp, finish, tool } from '../support/agent-apps.ts';
import { startRig } from '../support/http-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const NO_MOTION = `@id("all") permit (principal, action, resource);
@id("stand") @reason("nothing moves") forbid (principal, action == Auraison::Action::"tool",
  resource in Auraison::Group::"robot");`;

async function bookOf(text: string, base = { speedMax: 0.46, turnMax: 1.9 }): Promise<PolicyBook> {
  return await PolicyBook.open({
    robot: 'tb1',
    clock: new ManualClock(),
    read: () => ({
      policies: [{ file: 'site.cedar', text }],
      entities: { file: 'entities.json', text: '' },
    }),
    standing: ({ roles }) => ({ ok: true, roles }),
    base,
  });
}

const FAILED: Line = { calls: [{ name: 'run_finish', args: { status: 'failed', reason: 'enough' } }] };

async function ran(
  app: Application,
  first: Line | undefined,
  { policy = NO_MOTION, who = PERSON, robot = new FakeRobot({ seed: 5, cells: 5 }) } = {},
) {
  const blobs = new MemoryBlobStore();
  const model = new ScriptedModel((_, count) => (count === 1 && first ? first : FAILED));
  const rig = new RuntimeRig({
    apps: [app],
    robot,
    hooks: [await bookOf(policy)],
    options: {
      models: () => model,
      blobs,
      tools: () => motionTools(robot, new ManualClock()),
      harnesses: { pi: (one) => new PiHarness(one, { blobs, patienceMs: 0 }) },
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: app.intents[0]!.type }, who);
  await rig.finished();
  const moved = robot.orders.filter((order) => !order.startsWith('stop'));
  return { rig, model, moved };
}

const open = { ...application.agent!, choices: () => undefined };
const mazeAgent = {
  ...application,
  harness: 'pi' as const,
  agent: open,
  tools: [...application.tools!, finish],
};
const wiggle = (origin: Tool['spec']['origin']): Tool =>
  tool('ext.wiggle', { effect: 'actuate', replay: 'never', origin }, async (_args, { robot }) => {
    const { outcome } = await robot!.maneuver({ kind: 'drive', distance: 0.3 });
    return { result: { outcome } };
  });

const goalTo = (x: number, frame_id = 'map') => ({
  pose: { header: { frame_id }, pose: { position: { x, y: 0 } } },
});

describe('a policy that forbids motion', () => {
  const ways: [string, Application, Line | undefined][] = [
    [
      'a tool of the house',
      agentApp([]),
      { calls: [{ name: 'robot_maneuver', args: { kind: 'drive', distance_m: 0.3 } }] },
    ],
    ['a composite tool of the maze', mazeAgent, { calls: [{ name: 'maze_explore_frontier' }] }],
    ['another one', mazeAgent, { calls: [{ name: 'maze_back_out' }] }],
    ['a tool of an application', agentApp([wiggle('app')]), { calls: [{ name: 'ext_wiggle' }] }],
    ['a tool of an extension', agentApp([wiggle('extension')]), { calls: [{ name: 'ext_wiggle' }] }],
    ['a flow', application, undefined],
  ];

  it.each(ways)('binds %s', async (_what, app, first) => {
    const { rig, moved, model } = await ran(app, first);
    expect(moved).toEqual([]);
    const denied = rig.of('policy.decided').filter(({ payload }) => payload.decision === 'deny');
    expect(denied.length).toBeGreaterThan(0);
    expect(denied[0]!.payload).toMatchObject({ determining: ['site.cedar#stand'] });
    if (!first) return;
    expect(rig.of('tool.returned')[0]!.payload).toMatchObject({
      ok: false,
      error: { code: 'policy.denied' },
    });
    // The model learns why.
    expect(JSON.stringify(model.requests[1]!.messages)).toContain('nothing moves');
  });

  it.each(['cli', 'api', 'mcp', 'ros', 'zenoh', 'central', 'schedule'] as const)(
    'binds a run that was asked for through %s',
    async (origin) => {
      const who = { ...PERSON, origin } as PolicyContext;
      const { moved } = await ran(application, undefined, { who });
      expect(moved).toEqual([]);
    },
  );

  it('leaves what is allowed alone, and logs each motion with the tool that makes it', async () => {
    const { rig, moved } = await ran(
      agentApp([wiggle('extension')]),
      { calls: [{ name: 'ext_wiggle' }] },
      { policy: '@id("all") permit (principal, action, resource);' },
    );
    expect(moved.length).toBe(1);
    const [motion] = rig.of('policy.decided').filter(({ payload }) => payload.subject === 'robot.maneuver');
    expect(motion!.payload.request).toMatchObject({
      about: { effect: 'actuate', within: 'ext.wiggle', intent: 'agent/go' },
      facts: { motion: 'drive', frame: 'base_link', distance_m: 0.3, speed_m_s: 0.46 },
      principal: { tenant: 'lab', id: 'ada' },
    });
  });

  it.each([
    ['robot.teleoperate', '/v1/lease', {}, { role: 'teleoperation' }],
    ['controller.run', '/v1/controllers/drive/start', { seconds: 5 }, { controller: 'drive', seconds: 5 }],
    [
      'ros.goal',
      '/v1/ros/actions/goals',
      { action: '/navigate_to_pose', type: 'nav2_msgs/action/NavigateToPose', goal: goalTo(11) },
      { action: '/navigate_to_pose', type: 'nav2_msgs/action/NavigateToPose', motion: 'navigate', x_m: 11 },
    ],
    [
      'robot.navigate',
      '/v1/ros/actions/goals',
      { action: '/navigate_to_pose', type: 'nav2_msgs/action/NavigateToPose', goal: goalTo(11) },
      { motion: 'navigate', frame: 'map', x_m: 11, x_max_m: 11, via: 0, speed_m_s: 0.46 },
    ],
    [
      'bag.play',
      '/v1/plays',
      { path: '/bags/a.mcap', rate: 1, to: 'bus', allow_commands: true },
      { path: '/bags/a.mcap', rate: 1 },
    ],
    [
      'ros.params',
      '/v1/ros/params',
      { node: '/controller_server', values: { max_speed: { kind: 'double', value: 9 } } },
      { node: '/controller_server', names: ['max_speed'] },
    ],
    [
      'ros.call',
      '/v1/ros/services/call',
      { service: '/light', type: 'std_srvs/srv/SetBool', request: { data: true } },
      { service: '/light', type: 'std_srvs/srv/SetBool' },
    ],
    [
      'ros.lifecycle',
      '/v1/ros/lifecycle',
      { node: '/bt_navigator', transition: 'activate' },
      { node: '/bt_navigator', transition: 'activate' },
    ],
  ])('binds %s of the HTTP API, before anything begins', async (tool, path, body, facts) => {
    const book = await bookOf(`@id("all") permit (principal, action, resource);
      @id("none") @reason("nothing moves") forbid (principal, action == Auraison::Action::"tool",
        resource == Auraison::Tool::"${tool}");`);
    const asked: unknown[] = [];
    const events: NewEvent[] = [];
    const gate = new PolicyGate([book], new ManualClock());
    const judge: NonNullable<HttpPorts['judgeAction']> = (action, context) =>
      judgeAction(gate, async (more) => void events.push(...more), action, context);
    const rig = await startRig({}, { judgeAction: judge });
    const { execution } = METHODS;
    for (const method of [
      ...[execution.leaseTake, execution.controllerStart, execution.rosGoalSend, execution.bagPlay],
      ...[execution.rosParams, execution.rosLifecycle, execution.rosCall],
    ])
      rig.answers.set(method, async (order) => {
        asked.push(order);
        return {};
      });
    try {
      const refused = await rig.post(path, body);
      expect(await refused.json()).toMatchObject({ code: 'policy.denied' });
      expect([refused.status, asked]).toEqual([403, []]);
      expect(events.at(-1)).toMatchObject({
        kind: 'policy.decided',
        payload: { subject: tool, decision: 'deny', request: { facts } },
      });
    } finally {
      await rig.stop();
    }
  });

  it('binds the motions of the HTTP API', async () => {
    const gate = new PolicyGate([await bookOf(NO_MOTION)], new ManualClock());
    const judge: NonNullable<HttpPorts['judgeMotion']> = (kind, goal, context) =>
      judgeMotion(gate, async () => {}, { kind, goal, context });
    const rig = await startRig({}, { judgeMotion: judge });
    try {
      for (const [path, body] of [
        ['/v1/robot/navigate', { pose: { x: 1, y: 0, yaw: 0 } }],
        ['/v1/robot/maneuver', { kind: 'drive', distance_m: 0.3 }],
      ] as const) {
        const answer = await rig.post(path, body);
        expect([path, answer.status, await answer.json()]).toMatchObject([
          path,
          403,
          { code: 'policy.denied', message: expect.stringContaining('nothing moves') },
        ]);
      }
    } finally {
      await rig.stop();
    }
  });
});

describe('what a policy knows of a motion', () => {
  it('is the same for a call and for a motion within a tool', async () => {
    const asked: HookQuestion[] = [];
    const hooks = {
      ask: async (question: HookQuestion) => {
        asked.push(question);
        return { refusal: undefined, events: [] };
      },
    };
    const goal = { pose: { x: 3, y: -1, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 };
    await judgeMotion(hooks, async () => {}, {
      kind: 'navigate',
      goal,
      context: PERSON,
      within: 'maze.go_to',
    });
    const args = { x: 3, y: -1, yaw: 0, tolerance_m: 0.2, timeout_ms: 60_000 };
    const box = { x_min_m: 3, x_max_m: 3, y_min_m: -1, y_max_m: -1 };
    const facts = {
      motion: 'navigate',
      frame: 'map',
      x_m: 3,
      y_m: -1,
      ...box,
      tolerance_m: 0.2,
      timeout_ms: 60_000,
    };
    expect(asked[0]).toMatchObject({ subject: 'robot.navigate', facts, about: { within: 'maze.go_to' } });
    expect({ ...args, ...motionFactsOf('robot.navigate', args) }).toMatchObject(facts);
    expect(motionFactsOf('arm.gripper', { opening_m: 0.02, effort_n: 5 })).toMatchObject({ opening_m: 0.02 });
    expect(motionFactsOf('maze.look', {})).toEqual({});
  });
});

describe('a motion that a policy wants a person for', () => {
  it.each([
    ['maze.explore_frontier', /put @approve on Tool::"maze\.explore_frontier"/],
    [undefined, /ask for it as an intent/],
  ])('is refused within %s, and the refusal says where to ask', async (within, hint) => {
    const book = await bookOf('@id("ask") @approve("mind your feet") permit (principal, action, resource);');
    const gate = new PolicyGate([book], new ManualClock());
    const goal = { kind: 'drive', distance: 0.3 } as const;
    const asked = { kind: 'maneuver', goal, context: PERSON } as const;
    const motion = within === undefined ? asked : { ...asked, within };
    await expect(judgeMotion(gate, async () => {}, motion)).rejects.toMatchObject({
      code: 'policy.needs_approval',
      hint: expect.stringMatching(hint),
    });
    await expect(judgeMotion(gate, async () => {}, motion)).rejects.toMatchObject({
      hint: expect.stringContaining('permit robot.maneuver without @approve'),
    });
  });
});

describe('the examples of docs/policies.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/policies.md'), 'utf8');
  const [example] = [...text.matchAll(/```cedar\n([\s\S]*?)```/g)].map(([, block]) => block!);
  const ask = (subject: string, args: Record<string, unknown>): HookQuestion => ({
    point: 'tool',
    subject,
    context: PERSON,
    facts: { ...args, ...motionFactsOf(subject, args) },
    about: { effect: 'actuate' },
  });

  it('limit speed, place and the arm as they say', async () => {
    const drive = ask('robot.maneuver', { kind: 'drive', distance_m: 1 });
    const hall = ask('robot.navigate', { x: 9, y: 0 });
    const yard = ask('robot.navigate', { x: 11, y: 0 });
    const through = ask('robot.navigate', { x: 1, y: 0, via: [{ x: 12, y: 3 }] });
    const arm = ask('arm.move', { joints: { shoulder: 1 } });
    const slow = await bookOf(example!);
    const fast = await bookOf(example!, { speedMax: 0.6, turnMax: 1 });
    const decisions = async (book: PolicyBook) =>
      await Promise.all(
        [drive, hall, yard, through, arm].map(async (one) => (await book.decide(one)).decision),
      );
    expect(await decisions(slow)).toEqual(['allow', 'allow', 'deny', 'deny', 'needs_approval']);
    expect(await decisions(fast)).toEqual(['deny', 'deny', 'deny', 'deny', 'needs_approval']);
    const late = await fast.decide(drive);
    expect([late.reason, late.determining]).toEqual([
      expect.stringContaining('people are near'),
      ['site.cedar#slow-near-people'],
    ]);
  });

  it('all load', async () => {
    const blocks = [...text.matchAll(/```cedar\n([\s\S]*?)```/g)];
    expect(blocks.length).toBeGreaterThan(0);
    for (const [, block] of blocks) expect(await bookOf(block!)).toBeInstanceOf(PolicyBook);
  });
});
