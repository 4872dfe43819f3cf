import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openKeySpace } from '../../adapters/zenoh/open-key-space.ts';
import { endpointOf } from '../../cli/api-client.ts';
import type { AgentEvent, KeySpace, RunDetails, Submitted } from '../../contract/index.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { PythonPeer, rosEnvironment } from '../peers/ros-peer.ts';
import {
  AURAISON,
  allEvents,
  auraisonAsync,
  finishedRun,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { notingCommands, type SimCommand, simCommands } from '../support/sim-commands.ts';
import { WAYS, type Way } from '../support/ways-to-move.ts';
import { freePort } from '../support/zenoh.ts';

/**
 * A policy that forbids motion, and every way in by which somebody may want to move the robot all the same. What moved is
 * counted where it arrives: in the process of the simulator, or of the robot on ROS.
 */
const FORBID = `@id("all") permit (principal, action, resource);
@id("stand") @reason("nothing moves today") forbid (principal, action == Auraison::Action::"tool", resource) when {
  resource.effect == "actuate" && (resource in Auraison::Group::"robot" || resource in Auraison::Group::"arm" ||
  resource in Auraison::Group::"controller" || resource in Auraison::Group::"ros" || resource in Auraison::Group::"bag")
};
`;
const PERMIT = '@id("all") permit (principal, action, resource);\n';
const WORDS = 'nothing moves today';
const INTENT = 'maze/find_exit';
/** After an attempt so long is waited for commands that come late, milliseconds. */
const LATE_MS = 1_000;

const directory = freshDir('forbidden-motion');
const closing: (() => Promise<unknown> | unknown)[] = [];
const tried = new Set<Way>();
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const moves = ({ linear, angular }: SimCommand) => Math.abs(linear) > 1e-9 || Math.abs(angular) > 1e-9;

class Robot {
  readonly daemon: TestDaemon;
  readonly #folder: string;

  private constructor(daemon: TestDaemon, folder: string) {
    this.daemon = daemon;
    this.#folder = folder;
  }

  static async start(name: string, toml: string, env: Readonly<Record<string, string>> = {}): Promise<Robot> {
    const folder = join(directory.path, name);
    mkdirSync(join(folder, 'policies'), { recursive: true });
    writeFileSync(join(folder, 'policies', 'site.cedar'), FORBID);
    const config = join(folder, 'robot.toml');
    writeFileSync(config, `${toml}\n[policy]\ndir = "${join(folder, 'policies')}"\n`);
    const daemon = await testDaemon(join(folder, 'data'), {
      AURAISON_CONFIG: config,
      ...notingCommands(join(folder, 'commands')),
      ...env,
    });
    closing.push(() => daemon.stop());
    return new Robot(daemon, folder);
  }

  moving(): readonly SimCommand[] {
    return simCommands(join(this.#folder, 'commands')).filter(moves);
  }

  async allow(): Promise<void> {
    writeFileSync(join(this.#folder, 'policies', 'site.cedar'), PERMIT);
    await this.daemon.api.post('/v1/policy/reload', {});
  }

  /** What the policy denied so far; the last of it is told after `from`. */
  async denied(from = 0): Promise<readonly AgentEvent<'policy.decided'>[]> {
    const decided = (await allEvents(
      this.daemon.api,
      '&kind=policy.decided',
    )) as AgentEvent<'policy.decided'>[];
    return decided.filter(({ payload }) => payload.decision === 'deny').slice(from);
  }

  /** The attempt is denied by the policy, is in the log with its name, and moves nothing. */
  async stands(way: Way, attempt: () => Promise<string | undefined>): Promise<void> {
    tried.add(way);
    const before = (await this.denied()).length;
    const answer = await attempt();
    if (answer !== undefined) expect(answer).toContain(WORDS);
    const denials = await until(async () => {
      const found = await this.denied(before);
      return found.length > 0 && found;
    }, `${way}: a denial is in the log`);
    await wait(LATE_MS);
    for (const { payload } of denials) expect(payload.determining).toEqual(['site.cedar#stand']);
    expect([way, this.moving()]).toEqual([way, []]);
  }

  async refusal(path: string, body: object): Promise<string> {
    return await this.daemon.api.post(path, body).then(
      (answer) => `taken: ${JSON.stringify(answer)}`,
      (thrown: Error & { code?: string }) => `${thrown.code}: ${thrown.message}`,
    );
  }

  /** The run comes to an end, and its log says by which policy its motion was refused. */
  async runOf(runId: string): Promise<string> {
    const { api } = this.daemon;
    const details: RunDetails = await finishedRun(api, runId);
    expect(details.run.status).not.toBe('succeeded');
    const events = (await allEvents(api)).filter(({ run_id }) => run_id === runId);
    return JSON.stringify(events.filter(({ kind }) => kind === 'policy.decided' || kind === 'tool.returned'));
  }

  async newestRun(origin: string): Promise<string> {
    return await until(async () => {
      const accepted = (await allEvents(
        this.daemon.api,
        '&kind=intent.accepted',
      )) as AgentEvent<'intent.accepted'>[];
      return accepted.find(({ payload }) => payload.intent.policy_ctx.origin === origin)?.run_id;
    }, `a run that came from ${origin}`);
  }
}

const pose = (x: number) => ({ header: { frame_id: 'map' }, pose: { position: { x, y: 0, z: 0 } } });
const DRIVE = `
[[policies]]
name = "drive"
kind = "onnx"
path = "${join(ROOT, 'apps/turtlebot-maze/policy/drive.onnx')}"
[[controllers]]
name = "base"
rate = "10 Hz"
output = "/cmd_vel"
kind = "twist"
[[controllers.inputs]]
name = "observation.state"
topic = "/odom"
`;

describe('a policy that forbids motion: the base', () => {
  let robot: Robot;
  let keys: KeySpace;
  let orders: (...args: string[]) => Promise<Record<string, unknown>>;
  beforeAll(async () => {
    const [zenoh, port] = [await freePort(), await freePort()];
    const dataDir = join(directory.path, 'central');
    const central = spawn(AURAISON, ['central', '--data-dir', dataDir, '--port', String(port), '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    closing.push(async () => {
      const gone = once(central, 'exit');
      central.kill('SIGKILL');
      await gone;
    });
    await once(central.stdout!, 'data');
    const url = `http://127.0.0.1:${port}`;
    orders = async (...args) => {
      const token = join(dataDir, 'operator-token');
      const done = await auraisonAsync(['orders', ...args, '--url', url, '--token-file', token, '--json']);
      return JSON.parse(done.stdout) as Record<string, unknown>;
    };
    robot = await Robot.start(
      'base',
      `[daemon]
name = "r1"
[sim]
width = 3
height = 3
[runs]
auto_start = "${INTENT}"
[intents]
zenoh = true
central = true
[link]
central_url = "${url}"
token_file = "${join(dataDir, 'token')}"
[zenoh]
enabled = true
mode = "router"
listen = ["tcp/127.0.0.1:${zenoh}"]
prefix = "fleet/r1"
[[routes]]
name = "steering"
from = "zenoh:steer/r1"
to = "ros:/cmd_vel"
type = "geometry_msgs/msg/Twist"
[[schedules]]
name = "often"
cron = "*/5 * * * * *"
intent = "${INTENT}"
${DRIVE}`,
      { AURAISON_ZENOH_ENABLED: 'true' },
    );
    const open = { driver: 'native', remoteUrl: '', nativeOnly: [], mode: 'client' } as const;
    const opened = await openKeySpace(
      { ...open, connect: [`tcp/127.0.0.1:${zenoh}`] },
      { clock: new SystemClock() },
    );
    keys = opened.keySpace;
    closing.push(() => keys.close());
  }, 180_000);

  it.each<[Way, string, object]>([
    ['HTTP: navigate', '/v1/robot/navigate', { pose: { x: 1, y: 0, yaw: 0 } }],
    ['HTTP: maneuver', '/v1/robot/maneuver', { kind: 'drive', distance_m: 0.3 }],
    ['HTTP: controller of the base', '/v1/controllers/base/start', {}],
    ['HTTP: lease to steer by hand', '/v1/lease', {}],
    [
      'HTTP: play of commands',
      '/v1/plays',
      { path: '/bags/a.mcap', rate: 1, to: 'bus', allow_commands: true },
    ],
    [
      'HTTP: goal of a ROS action',
      '/v1/ros/actions/goals',
      { action: '/navigate_to_pose', type: 'nav2_msgs/action/NavigateToPose', goal: { pose: pose(1) } },
    ],
  ])('%s', async (way, path, body) => {
    await robot.stands(way, () => robot.refusal(path, body));
  });

  it('HTTP: command by hand without a lease', async () => {
    tried.add('HTTP: command by hand without a lease');
    const body = { lease_id: 1, twist: { linear: 0.2, angular: 0 } };
    expect(await robot.refusal('/v1/teleop', body)).toMatch(/^lease\./);
    await wait(LATE_MS);
    expect(robot.moving()).toEqual([]);
  });

  const cli = (...args: string[]) => auraisonAsync([...args, '--data-dir', robot.daemon.dataDir]);
  it('command line: teleoperation', async () => {
    await robot.stands('command line: teleoperation', async () => {
      const done = await cli('teleop', '--linear', '0.1', '--seconds', '1');
      expect(done.status).not.toBe(0);
      return `${done.stdout}${done.stderr}`;
    });
  });

  it.each<[Way, () => Promise<string>]>([
    [
      'HTTP: intent',
      async () => (await robot.daemon.api.post<Submitted>('/v1/intents', { type: INTENT })).run.run_id,
    ],
    [
      'command line: intent',
      async () => {
        const done = await cli('intent', 'send', INTENT);
        expect([done.status, done.stderr]).toEqual([0, '']);
        return robot.newestRun('cli');
      },
    ],
    [
      'MCP: run_submit',
      async () => {
        const { url, token } = endpointOf(robot.daemon.settings, '/mcp');
        const client = new Client({ name: 'forbidden', version: '1' });
        const headers = { authorization: `Bearer ${token}` };
        await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
        await client.callTool({ name: 'run_submit', arguments: { type: INTENT } });
        await client.close();
        return robot.newestRun('mcp');
      },
    ],
    [
      'Zenoh: intent',
      async () => {
        const payload = new TextEncoder().encode(JSON.stringify({ type: INTENT }));
        const encoding = 'application/json';
        await until(async () => {
          const [reply] = await keys.query('fleet/r1/intent', { payload, encoding, timeoutMs: 20_000 });
          return reply?.ok;
        }, 'the intent is taken');
        return robot.newestRun('zenoh');
      },
    ],
    [
      'central: order',
      async () => {
        await orders('send', 'r1', INTENT);
        return robot.newestRun('central');
      },
    ],
    ['schedule', async () => scheduled('schedule/often')],
    ['start of the daemon', async () => scheduled('r1')],
  ])(
    '%s',
    async (way, opens) => {
      tried.add('flow of the base');
      await robot.stands(way, async () => robot.runOf(await opens()));
    },
    240_000,
  );

  const scheduled = (principal: string): Promise<string> =>
    until(async () => {
      const accepted = (await allEvents(
        robot.daemon.api,
        '&kind=intent.accepted',
      )) as AgentEvent<'intent.accepted'>[];
      return accepted.findLast(({ payload }) => payload.intent.policy_ctx.principal === principal)?.run_id;
    }, `a run of ${principal}`);

  it('Zenoh: velocity of a stranger through a route', async () => {
    tried.add('Zenoh: velocity of a stranger through a route');
    const twist = { linear: { x: 0.3, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } };
    for (let i = 0; i < 20; i++) {
      await keys.put('steer/r1', encodeTwist(twist));
      await wait(50);
    }
    await until(async () => {
      const refused = (await allEvents(
        robot.daemon.api,
        '&kind=command.refused',
      )) as AgentEvent<'command.refused'>[];
      return refused.some(({ payload }) => JSON.stringify(payload).includes('/cmd_vel'));
    }, 'the refusal is in the log');
    await wait(LATE_MS);
    expect(robot.moving()).toEqual([]);
  });

  it('does not keep anybody from stopping', async () => {
    expect(await robot.daemon.api.post('/v1/robot/stop', {})).toBeDefined();
    expect(await robot.daemon.api.post('/v1/estop', {})).toMatchObject({ engaged: true });
    await robot.daemon.api.post('/v1/estop/release', {});
  });

  it('is what kept the base: it moves as soon as the policy is gone', async () => {
    await robot.allow();
    await until(async () => {
      await robot.refusal('/v1/robot/maneuver', { kind: 'spin', angle_rad: 1 });
      return robot.moving().length > 0;
    }, 'the base moves');
  });
});

describe('a policy that forbids motion: an agent and its plans', () => {
  let robot: Robot;
  let model: FakeOpenAi;
  let call = { name: 'maze_explore_frontier', args: {} as object };
  let steps: object[] = [];
  beforeAll(async () => {
    const own = join(directory.path, 'apps', 'turtlebot-maze', 'extensions');
    mkdirSync(own, { recursive: true });
    writeFileSync(
      join(own, 'nudge.ts'),
      `export default (pi) => pi.registerTool({
  name: 'nudge', description: 'drives a little', parameters: { type: 'object', properties: {} },
  edge: { effect: 'actuate', replay: 'never', deadlineMs: 10000 },
  async execute(_id, _args, _signal, _update, { robot }) {
    const { outcome } = await robot.maneuver({ kind: 'drive', distance: 0.3 });
    return { content: [{ type: 'text', text: outcome }], details: { outcome } };
  },
});
`,
    );
    model = await FakeOpenAi.start((asked, response, server) => {
      const text = JSON.stringify({ steps });
      // Who is told the reason ends its run.
      const heard = JSON.stringify(asked.body['messages']).includes(WORDS);
      const finish = { name: 'run_finish', args: { status: 'failed', reason: 'it is forbidden' } };
      const said = asked.body['tools'] === undefined ? { text } : { calls: [heard ? finish : call] };
      return say(said)(asked, response, server);
    });
    closing.push(() => model.stop());
    robot = await Robot.start(
      'agent',
      `[apps]
turtlebot_maze = "pi"
folder = "${join(directory.path, 'apps')}"
[sim]
width = 3
height = 3
[planning]
subgoals = ["robot.*", "${INTENT}"]
[[models]]
name = "scripted"
url = "${model.url}"
model = "scripted"
context = 8192
`,
    );
  }, 120_000);

  it.each<[Way, string]>([
    ['composite tool of an agent', 'maze_explore_frontier'],
    ['tool of an extension', 'ext_nudge'],
  ])(
    '%s',
    async (way, name) => {
      call = { name, args: {} };
      await robot.stands(way, async () => {
        const { run } = await robot.daemon.api.post<Submitted>('/v1/intents', { type: INTENT });
        return robot.runOf(run.run_id);
      });
    },
    180_000,
  );

  it.each<[Way, object]>([
    ['step of a plan', { subgoal: 'robot.maneuver', params: { kind: 'drive', distance_m: 0.3 } }],
    ['run of a run', { subgoal: INTENT, params: {} }],
  ])(
    '%s',
    async (way, step) => {
      call = { name: 'maze_explore_frontier', args: {} };
      steps = [{ ...step, deadline_ms: 60_000, success: [], fallback: 'abort' }];
      await robot.stands(way, async () => {
        const { api } = robot.daemon;
        const before = (await allEvents(api)).length;
        await api.post('/v1/plans', { goal: 'go on' }).catch(() => {});
        const since = async () => (await allEvents(api)).slice(before);
        await until(async () => (await since()).some(({ kind }) => kind === 'run.finished'), 'it ends');
        return JSON.stringify(await since());
      });
      if (way === 'run of a run') expect(await robot.newestRun('run')).toBeDefined();
    },
    180_000,
  );
});

describe('a policy that forbids motion: the arm', () => {
  let robot: Robot;
  beforeAll(async () => {
    robot = await Robot.start(
      'arm',
      readFileSync(join(ROOT, 'docs', 'examples', 'ar4.toml'), 'utf8').replace(
        'camera_rate = 10',
        'camera_rate = 1',
      ),
    );
  }, 120_000);

  it.each<[Way, string, object]>([
    [
      'HTTP: trajectory of the arm',
      '/v1/arm/trajectory',
      { points: [{ positions: { joint_1: 0.5 }, time_from_start_ms: 1_000 }] },
    ],
    ['HTTP: gripper', '/v1/arm/gripper', { opening_m: 0.02, effort_n: 5 }],
    ['HTTP: controller of the arm', '/v1/controllers/reach/start', { seconds: 2 }],
  ])('%s', async (way, path, body) => {
    await robot.stands(way, () => robot.refusal(path, body));
  });

  it('flow of the arm, with its controller', async () => {
    await robot.stands('flow of the arm, with its controller', async () => {
      const { run } = await robot.daemon.api.post<Submitted>('/v1/intents', { type: 'arm/reach' });
      return robot.runOf(run.run_id);
    });
  }, 120_000);

  it('is what kept the arm: it moves as soon as the policy is gone', async () => {
    await robot.allow();
    await until(async () => {
      await robot.refusal('/v1/arm/trajectory', {
        points: [{ positions: { joint_1: 0.5 }, time_from_start_ms: 1_000 }],
      });
      return robot.moving().length > 0;
    }, 'the arm moves');
  }, 90_000);
});

describe('a policy that forbids motion: a robot on ROS', () => {
  let robot: Robot;
  let body: PythonPeer;
  let env: ReturnType<typeof rosEnvironment>;
  /** As the robot itself heard them. */
  const driven = () => (body.lines as SimCommand[]).filter((line) => 'linear' in line).filter(moves);
  beforeAll(async () => {
    env = rosEnvironment();
    body = new PythonPeer(env, 'ros_robot.py', ['/r1']);
    closing.push(() => body.close());
    await body.line((line: Record<string, unknown>) => 'ready' in line, 120_000);
    robot = await Robot.start('ros', '[robot]\nsource = "ros"\n[ros]\nnamespace = "/r1"\n', env);
  }, 15 * 60_000);

  it('ROS: goal of the intent action', async () => {
    await robot.stands('ROS: goal of the intent action', async () => {
      const client = new PythonPeer(env, 'ros_intent.py', ['/r1/run_intent', INTENT]);
      closing.push(() => client.close());
      const ended = await client.line((line: Record<string, unknown>) => 'ended' in line, 120_000);
      expect(ended).toMatchObject({ ended: { status: 'aborted', run: 'failed' } });
      return robot.runOf(await robot.newestRun('ros'));
    });
    expect(driven()).toEqual([]);
  }, 240_000);

  it('HTTP: goal of a ROS action', async () => {
    const goal = {
      action: '/r1/navigate_to_pose',
      type: 'nav2_msgs/action/NavigateToPose',
      goal: { pose: pose(1) },
    };
    await robot.stands('HTTP: goal of a ROS action', () => robot.refusal('/v1/ros/actions/goals', goal));
    expect(driven()).toEqual([]);
  });
});

it('every way of the list was tried', () => {
  expect([...tried].sort()).toEqual([...WAYS].sort());
});
