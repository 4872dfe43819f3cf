import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { MOVES } from '../../daemon/http/thaw-guard.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig;
afterEach(() => rig?.stop());

async function start(): Promise<ManualClock> {
  const clock = new ManualClock();
  const call = async () => ({ kind: 'answer', body: {} }) as const;
  const a2a = { call, card: async () => ({}) };
  const mcp = async (_raw: unknown, answer: ServerResponse) => void answer.end('{}');
  rig = await startRig({}, { clock, a2a, mcp, control: {} as never, approvals: {} as never });
  answerAll(rig);
  return clock;
}

const RUN = '01a1fd99-664f-7001-b10f-4ffe24a4f881';
const TELEOP = { lease_id: 1, twist: { linear: 0.1, angular: 0 } };
const code = async (path: string, body: object) => {
  const response = await rig.post(path, body);
  const { code } = (await response.json()) as { code?: string };
  return `${response.status} ${code ?? ''}`.trim();
};

/** What moves nothing that stands, or only stops: it is taken however late it is read. */
const HARMLESS = [
  ...['/v1/runs/:id/cancel', '/v1/runs/:id/pause', '/v1/runs/:id/replay', '/v1/runtimes/:name/disconnect'],
  ...['/v1/robot/stop', '/v1/arm/stop', '/v1/controllers/:name/stop', '/v1/ros/actions/goals/:id/cancel'],
  ...[
    '/v1/plays/:id/stop',
    '/v1/plays/:id/pause',
    '/v1/inference/vla/cancel',
    '/v1/sessions/:id/stop',
    '/v1/sessions/:id/close',
  ],
  // A release moves nothing, and a lease only lets its holder send commands, which are guarded.
  ...['/v1/estop', '/v1/estop/release', '/v1/lease', '/v1/lease/renew', '/v1/lease/return'],
  // Words, answers of models, and the plan that a person confirms.
  ...[
    '/v1/ask',
    '/v1/query',
    '/v1/chat/completions',
    '/v1/console/codes',
    '/v1/console/login',
    '/v1/inference/vla',
    '/v1/inference/plan',
  ],
  ...['/v1/models/:name/test', '/v1/models/:name/wake', '/v1/engine/:order'],
  ...['/v1/inference/policies/:name/reload', '/v1/extensions/:app/reload', '/v1/apps/reload'],
  ...['/v1/mcp/servers/:server/allow', '/v1/mcp/servers/:server/refresh'],
  ...['/v1/policy/reload', '/v1/policy/rejudge', '/v1/grants', '/v1/grants/:id/revoke'],
  // Recordings and the lake.
  ...['/v1/recorder/seal', '/v1/recorder/clip', '/v1/episodes', '/v1/episodes/stop', '/v1/episodes/discard'],
  ...['/v1/episodes/:id/discard', '/v1/episodes/:id/relabel', '/v1/bags/:bag/adopt'],
  ...['/v1/bags/:bag/annotations', '/v1/bags/:bag/cut'],
  ...['/v1/lake/rebuild', '/v1/lake/move', '/v1/link/sync', '/v1/recall', '/v1/recall/rebuild'],
  ...['/v1/link/disk', '/v1/link/disk/next', '/v1/link/disk/manifest', '/v1/link/disk/receipts'],
  // The cell refuses each service and each transition that is not named as harmless.
  ...['/v1/ros/services/call', '/v1/ros/params', '/v1/ros/lifecycle'],
  // Says where states of a task are posted.
  '/a2a/http/tasks/:id/pushNotificationConfigs',
];

it('knows of each POST route of the API whether it may start a motion', async () => {
  const any = {} as never;
  const stubs = { control: any, approvals: any, governance: any, replay: any, mcp: any, plans: any };
  rig = await startRig({}, stubs);
  const { paths } = (await (await rig.get('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const posts = Object.keys(paths)
    .filter((path) => paths[path]!['post'] !== undefined)
    .map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1'));
  // Those of MCP and A2A are in no schema.
  const known = [...MOVES, ...HARMLESS].filter((path) => path !== '/mcp' && !path.startsWith('/a2a'));
  expect(posts.toSorted()).toEqual(known.toSorted());
});

/** A message of an MCP client. */
const submit = (intent: object) => ({
  method: 'tools/call',
  params: { name: 'run_submit', arguments: intent },
});

describe('the API after its process was frozen', () => {
  it('refuses what begins a motion, by whatever route it comes, for a moment', async () => {
    const clock = await start();
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
    clock.skip(400);
    const orders: [string, object][] = [
      ['/v1/teleop', TELEOP],
      ['/v1/robot/navigate', { x: 1, y: 1 }],
      ['/v1/topics/publish', { topic: '/a', type: 'std_msgs/msg/Empty', message: {} }],
      ['/v1/robot/maneuver', { kind: 'wait', duration_ms: 100 }],
      ['/v1/arm/trajectory', { joints: ['a'], points: [{ positions: [0], time_s: 1 }] }],
      ['/v1/arm/gripper', { position: 0.01 }],
      ['/v1/controllers/pick/start', {}],
      ['/v1/ros/actions/goals', { action: '/a', type: 'a_msgs/action/A' }],
      ['/v1/plays', { path: '/bag' }],
      ['/v1/plays/1/seek', { position_s: 1 }],
      ['/v1/plays/1/rate', { rate: 1 }],
    ];
    for (const [path, body] of orders)
      expect(`${path}: ${await code(path, body)}`).toBe(`${path}: 409 command.expired`);
    await clock.advance(99);
    expect(await code('/v1/teleop', TELEOP)).toBe('409 command.expired');
    await clock.advance(1);
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
  });

  it('refuses what opens or continues a run behind a freeze of more than 5 s, and takes it behind a shorter one', async () => {
    const clock = await start();
    const orders: [string, object][] = [
      ['/v1/intents', { type: 'maze/find_exit' }],
      [`/v1/runs/${RUN}/resume`, {}],
      [`/v1/runs/${RUN}/messages`, { kind: 'steer', text: 'go on' }],
      [`/v1/approvals/${RUN}/answer`, { decision: 'allow' }],
      [`/v1/questions/${RUN}/answer`, { answer: 'go on' }],
      ['/v1/webhooks/shop/orders', { kind: 'order' }],
      [`/v1/sessions/${RUN}/steer`, { text: 'stop at the door' }],
      ['/v1/intents', { type: 'maze/find_exit', params: { words: 'stop' } }],
      ['/v1/webhooks/shop/orders', { text: 'stop' }],
      ['/mcp', submit({ type: 'maze/find_exit' })],
      ['/mcp', submit({ type: 'maze/find_exit', params: { words: 'stop' } })],
      [
        '/mcp',
        [submit({ type: 'robot/chat', params: { words: 'stop' } }), submit({ type: 'maze/find_exit' })],
      ],
      ['/a2a', { method: 'SendMessage' }],
      ['/a2a', { method: 'SendMessage', params: { message: { parts: [{ text: 'stop' }, { data: {} }] } } }],
      ['/a2a', { method: 'message/stream' }],
      ['/a2a/http/message:send', {}],
      ['/a2a/http/message:stream', {}],
    ];
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
    clock.skip(4_000);
    expect(await code('/v1/teleop', TELEOP)).toBe('409 command.expired');
    for (const [path, body] of orders) expect(await code(path, body)).not.toContain('command.expired');
    clock.skip(6_000);
    for (const [path, body] of orders)
      expect(`${path}: ${await code(path, body)}`).toBe(`${path}: 409 command.expired`);
    await clock.advance(100);
    for (const [path, body] of orders) expect(await code(path, body)).not.toContain('command.expired');
  });

  it.each([250, 300, 1_000, 4_900])(
    'refuses an order for a run that waited behind a long freeze also when a stall of %i ms follows',
    async (stallMs) => {
      const clock = await start();
      const intent = () => code('/v1/intents', { type: 'maze/find_exit' });
      clock.skip(6_000);
      expect(await intent()).toBe('409 command.expired');
      await clock.advance(50);
      clock.skip(stallMs);
      expect(await intent()).toBe('409 command.expired');
      await clock.advance(100);
      expect(await intent()).not.toContain('command.expired');
    },
  );

  it('takes every stop, and what comes behind a short hang', async () => {
    const clock = await start();
    clock.skip(6_000);
    expect(await code('/v1/estop', {})).toBe('200');
    expect(await code('/v1/robot/stop', {})).toBe('200');
    for (const [path, body] of [
      [`/v1/runs/${RUN}/cancel`, {}],
      [`/v1/runs/${RUN}/messages`, { kind: 'stop' }],
      [`/v1/approvals/${RUN}/answer`, { decision: 'deny' }],
      ['/a2a', { method: 'CancelTask', params: { id: RUN } }],
      // In words.
      [`/v1/runs/${RUN}/messages`, { kind: 'steer', text: 'stop!' }],
      [`/v1/sessions/${RUN}/steer`, { text: 'please stop' }],
      ['/v1/sessions', { text: 'halt' }],
      ['/a2a', { method: 'SendMessage', params: { message: { parts: [{ text: 'stop' }] } } }],
      ['/a2a', { method: 'message/send', params: { message: { parts: [{ kind: 'text', text: 'Stop!' }] } } }],
      ['/a2a/http/message:send', { message: { parts: [{ text: 'stop' }] } }],
      ['/mcp', submit({ type: 'robot/chat', params: { words: 'Stop!' } })],
    ] as const)
      expect(await code(path, body)).not.toContain('command.expired');
    expect(await code('/v1/lease/return', { lease_id: 1 })).toBe('200');
    clock.skip(1_000);
    await clock.advance(200);
    clock.skip(200);
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
  });
});
