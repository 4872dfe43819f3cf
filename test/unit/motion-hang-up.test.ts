import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { request, type ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { answerAll } from '../support/http-answers.ts';
import { startRig, TOKEN } from '../support/http-rig.ts';

const { execution } = METHODS;
const pose = { header: { frame_id: 'map' }, pose: { position: { x: 1, y: 0 } } };

/** Every call of the API that begins a motion, or lets somebody move the robot. */
const WAYS: readonly (readonly [path: string, body: object])[] = [
  ['/v1/robot/navigate', { pose: { x: 1, y: 0, yaw: 0 } }],
  ['/v1/robot/maneuver', { kind: 'drive', distance_m: 0.3 }],
  ['/v1/arm/trajectory', { points: [{ positions: { joint_1: 1 }, time_from_start_ms: 500 }] }],
  ['/v1/arm/gripper', { opening_m: 0.02, effort_n: 5 }],
  ['/v1/controllers/drive/start', {}],
  [
    '/v1/ros/actions/goals',
    { action: '/navigate_to_pose', type: 'nav2_msgs/action/NavigateToPose', goal: { pose } },
  ],
  ['/v1/plays', { path: '/bags/a.mcap', rate: 1, to: 'bus', allow_commands: true }],
  ['/v1/lease', {}],
];

/** A server whose policies give their word when `judged` is called; `judging` settles when they are asked. */
async function rigThatJudges() {
  const asking = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<void>();
  const judge = async () => {
    asking.resolve();
    await verdict.promise;
  };
  const rig = await startRig({}, { judgeMotion: judge, judgeAction: judge });
  const asked: string[] = [];
  for (const method of Object.values(execution))
    rig.answers.set(method, async () => {
      asked.push(method);
      return {};
    });
  return { rig, judging: asking.promise, judged: () => verdict.resolve(), asked };
}

it.each(WAYS)(
  'a caller who hangs up while the policies are asked moves nothing by %s',
  async (path, body) => {
    const { rig, judging, judged, asked } = await rigThatJudges();
    try {
      const closed = new Promise<void>((resolve) => {
        const began = (message: unknown) => {
          unsubscribe('http.server.request.start', began);
          (message as { response: ServerResponse }).response.once('close', resolve);
        };
        subscribe('http.server.request.start', began);
      });
      const caller = request(`${rig.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      });
      caller.on('error', () => {});
      caller.end(JSON.stringify(body));
      await judging;
      caller.destroy();
      await closed;
      judged();
      await new Promise((resolve) => setImmediate(resolve));
      expect(asked).toEqual([]);
    } finally {
      await rig.stop();
    }
  },
);

it.each(WAYS)('a stop while the policies are asked is not followed by %s', async (path, body) => {
  const { rig, judging, judged, asked } = await rigThatJudges();
  try {
    const order = rig.post(path, body);
    await judging;
    await (await rig.post('/v1/robot/stop', {})).text();
    judged();
    const answer = await order;
    expect([answer.status, await answer.json()]).toMatchObject([409, { code: 'robot.preempted' }]);
    expect(asked).toEqual([execution.robotStop]);
  } finally {
    await rig.stop();
  }
});

it.each(WAYS)(
  'a stop of the agent of a run while the policies are asked is not followed by %s',
  async (path, body) => {
    const { rig, judging, judged, asked } = await rigThatJudges();
    try {
      const order = rig.post(path, body);
      await judging;
      rig.runtime.hears({ atMs: rig.runtime.stops.now().atMs + 1, run: 'r' });
      judged();
      const answer = await order;
      expect([answer.status, await answer.json()]).toMatchObject([409, { code: 'robot.preempted' }]);
      expect(asked).toEqual([]);
    } finally {
      await rig.stop();
    }
  },
);

/** Of those that end by themselves, or by a call that needs their name: which call that is. */
const ENDS: Readonly<Record<string, readonly [method: string, body: object]>> = {
  '/v1/robot/navigate': [execution.robotCancel, { reason: 'the caller hung up' }],
  '/v1/robot/maneuver': [execution.robotCancel, { reason: 'the caller hung up' }],
  '/v1/arm/trajectory': [execution.robotCancel, { reason: 'the caller hung up' }],
  '/v1/arm/gripper': [execution.robotCancel, { reason: 'the caller hung up' }],
  '/v1/controllers/drive/start': [execution.controllerStop, { controller: 'drive' }],
  '/v1/ros/actions/goals': [execution.rosGoalCancel, { goalId: 'g-1' }],
  '/v1/plays': [execution.bagPlayStop, { id: 'p-1' }],
  '/v1/lease': [execution.leaseReturn, { leaseId: 7 }],
};

it.each(WAYS)(
  'what a caller who hangs up before the answer had started by %s is ended',
  async (path, body) => {
    const [end, named] = ENDS[path]!;
    let isGiven = () => {};
    const given = new Promise<void>((resolve) => {
      isGiven = resolve;
    });
    let carriedOut = () => {};
    const done = new Promise<void>((resolve) => {
      carriedOut = resolve;
    });
    let ended: (body: unknown) => void = () => {};
    const ending = new Promise<unknown>((resolve) => {
      ended = resolve;
    });
    const rig = await startRig({}, { judgeMotion: async () => {}, judgeAction: async () => {} });
    answerAll(rig);
    for (const method of Object.values(execution)) {
      const whole = rig.answers.get(method);
      rig.answers.set(method, async (asked) => {
        if (method === end) ended(asked);
        else {
          isGiven();
          await done;
        }
        const said = await whole?.(asked);
        if (typeof said !== 'object' || Array.isArray(said)) return said;
        return { ...said, goalId: 'g-1', play_id: 'p-1', lease_id: 7 };
      });
    }
    try {
      const caller = request(`${rig.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      });
      caller.on('error', () => {});
      let closed = () => {};
      const isClosed = new Promise<void>((resolve) => {
        closed = resolve;
      });
      const began = (message: unknown) => {
        unsubscribe('http.server.request.start', began);
        (message as { response: ServerResponse }).response.once('close', closed);
      };
      subscribe('http.server.request.start', began);
      caller.end(JSON.stringify(body));
      await given;
      caller.destroy();
      await isClosed;
      carriedOut();
      expect(await ending).toMatchObject(named);
    } finally {
      await rig.stop();
    }
  },
);
