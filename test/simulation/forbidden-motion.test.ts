import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openKeySpace } from '../../adapters/zenoh/open-key-space.ts';
import type { AgentEvent, KeySpace } from '../../contract/index.ts';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { PythonPeer, rosEnvironment } from '../peers/ros-peer.ts';
import { a2aToml, driveOnce, listenA2a, sendA2a, sendA2aOverHttp } from '../support/a2a-agent-server.ts';
import { errandOfAgent, writeAcpApp } from '../support/acp-bridge.ts';
import { allEvents, auraisonAsync, freshDir, ROOT, until } from '../support/daemon.ts';
import { ATTACHED, type Attached, driveAttached } from '../support/forbidden-attached.ts';
import { MESSAGE_WAYS, refusesMessage } from '../support/forbidden-messages.ts';
import { PACKAGED, startRuntimes, writePackages } from '../support/forbidden-packages.ts';
import { baseToml, startCentral, writeNudge } from '../support/forbidden-peers.ts';
import { ForbiddenRobot, moves, OPENED_EARLIER, WORDS, wait } from '../support/forbidden-robot.ts';
import { chosenOf, inWords, toolFor, WORDED } from '../support/forbidden-words.ts';
import { drivingWebhook, sendWebhook } from '../support/signed-webhook.ts';
import type { SimCommand } from '../support/sim-commands.ts';
import { WAYS, type Way } from '../support/ways-to-move.ts';
import { freePort } from '../support/zenoh.ts';

/**
 * A policy that forbids motion, and every way in by which somebody may want to move the robot all the same. What moved is
 * counted where it arrives: in the process of the simulator, or of the robot on ROS.
 */
const INTENT = 'maze/find_exit';
const LATER = 'nothing that was attempted moves it later';
const directory = freshDir('forbidden-motion');
const closing: (() => Promise<unknown> | unknown)[] = [];
const tried = new Set<Way>();
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

const start = async (...[name, toml, env]: Parameters<typeof ForbiddenRobot.start>) => {
  const robot = await ForbiddenRobot.start(join(directory.path, name), toml, env);
  closing.push(() => robot.daemon.stop());
  return robot;
};
const pose = { header: { frame_id: 'map' }, pose: { position: { x: 1, y: 0, z: 0 } } };
const goalTo = (action: string) => ({ action, type: 'nav2_msgs/action/NavigateToPose', goal: { pose } });

const TRANSITION = { node: '/bt_navigator', transition: 'activate' };
const LIGHT = { service: '/light', type: 'std_srvs/srv/SetBool', request: { data: true } };

describe('a policy that forbids motion: the base', () => {
  let robot: ForbiddenRobot;
  let keys: KeySpace;
  let orders: (...args: string[]) => Promise<Record<string, unknown>>;
  let attached: Attached;
  beforeAll(async () => {
    const [zenoh, port] = [await freePort(), await freePort()];
    attached = { Foxglove: await freePort(), rosbridge: await freePort() };
    const { url, tokenFile, ...central } = await startCentral(join(directory.path, 'central'), port);
    closing.push(() => central.end());
    orders = central.orders;
    const packages = join(directory.path, 'packages');
    writeAcpApp(packages, 'coder', 'coder/errand');
    writeAcpApp(packages, 'errands', 'errands/errand');
    const agent = await listenA2a(driveOnce);
    closing.push(() => agent.stop());
    robot = await start(
      'base',
      `${baseToml({ url, tokenFile, zenoh, attached, intent: INTENT })}${writePackages(packages)}${drivingWebhook(packages)}${a2aToml('errands', agent.url)}`,
      { AURAISON_ZENOH_ENABLED: 'true' },
    );
    closing.push(await startRuntimes(robot));
    const open = { driver: 'native', remoteUrl: '', nativeOnly: [], mode: 'client' } as const;
    const opened = await openKeySpace(
      { ...open, connect: [`tcp/127.0.0.1:${zenoh}`] },
      { clock: new SystemClock() },
    );
    keys = opened.keySpace;
    closing.push(() => opened.keySpace.close());
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
    ['HTTP: goal of a ROS action', '/v1/ros/actions/goals', goalTo('/navigate_to_pose')],
    [
      'HTTP: parameters of a ROS node',
      '/v1/ros/params',
      { node: '/controller_server', values: { max_speed: { kind: 'double', value: 9 } } },
    ],
    ['HTTP: service of a ROS node', '/v1/ros/services/call', LIGHT],
    ['HTTP: transition of a managed ROS node', '/v1/ros/lifecycle', TRANSITION],
  ])('%s', async (way, path, body) => {
    tried.add(way);
    await robot.stands(way, () => robot.refusal(path, body));
  });

  it('HTTP: command by hand without a lease', async () => {
    tried.add('HTTP: command by hand without a lease');
    const body = { lease_id: 1, twist: { linear: 0.2, angular: 0 } };
    expect(await robot.refusal('/v1/teleop', body)).toMatch(/^lease\./);
    expect(robot.moving()).toEqual([]);
  });

  const cli = (...args: string[]) => auraisonAsync([...args, '--data-dir', robot.daemon.dataDir]);
  it.each(MESSAGE_WAYS)('%s', (way) => refusesMessage(tried.add(way) && way, robot, cli));
  it('command line: teleoperation', async () => {
    tried.add('command line: teleoperation');
    await robot.stands('command line: teleoperation', async () => {
      const done = await cli('teleop', '--linear', '0.1', '--seconds', '1');
      expect(done.status).not.toBe(0);
      return `${done.stdout}${done.stderr}`;
    });
  });

  const sentByA2a = async (send: typeof sendA2a) => {
    await send(robot.daemon, INTENT);
    return robot.newestRun('a2a');
  };
  it.each<[Way, () => Promise<string>]>([
    ['HTTP: intent', () => robot.submitted(INTENT)],
    ...PACKAGED.map(([way, type]): [Way, () => Promise<string>] => [way, () => robot.submitted(type)]),
    [
      'command line: intent',
      async () => {
        const done = await cli('intent', 'send', INTENT);
        expect([done.status, done.stderr]).toEqual([0, '']);
        return robot.newestRun('api');
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
    ['A2A: message', () => sentByA2a(sendA2a)],
    ['A2A: message over HTTP+JSON', () => sentByA2a(sendA2aOverHttp)],
    ['foreign runtime: agent of the Agent2Agent protocol', () => robot.submitted('errands/errand')],
    ['HTTP: webhook', () => sendWebhook(robot.daemon, 'forbidden')],
    [
      'foreign runtime: agent of the Agent Client Protocol',
      async () => {
        const bridge = await errandOfAgent(robot.daemon, directory.path, join(directory.path, 'base'));
        closing.push(() => bridge.stop());
        return bridge.runId;
      },
    ],
  ])(
    '%s',
    async (way, opens) => {
      for (const one of ['flow of the base', way] as const) tried.add(one);
      await robot.stands(way, async () => robot.runOf(await opens()));
    },
    240_000,
  );

  it.each(OPENED_EARLIER)('%s', async (way, principal) => {
    await robot.stood(tried.add(way) && way, await robot.runOfPrincipal(principal));
  });

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
    expect(robot.moving()).toEqual([]);
  });

  it.each(ATTACHED)('%s: lease and velocity of a client', async (name) => {
    await driveAttached(name, robot, attached, tried);
    expect(robot.moving()).toEqual([]);
  });

  it(LATER, () => robot.stillStands());

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
  let robot: ForbiddenRobot;
  let model: FakeOpenAi;
  let call = { name: 'maze_explore_frontier', args: {} as object };
  let steps: object[] = [];
  beforeAll(async () => {
    writeNudge(join(directory.path, 'apps', 'turtlebot-maze', 'extensions'));
    model = await FakeOpenAi.start((asked, response, server) => {
      const text = JSON.stringify({ steps });
      // Who is told the reason ends its run.
      const heard = JSON.stringify(asked.body['messages']).includes(WORDS);
      const finish = { name: 'run_finish', args: { status: 'failed', reason: 'it is forbidden' } };
      const chosen = chosenOf(asked.body['tools'], call);
      const said = chosen === undefined ? { text } : { calls: [heard ? finish : chosen] };
      return say(said)(asked, response, server);
    });
    closing.push(() => model.stop());
    robot = await start(
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
      tried.add(way);
      await robot.stands(way, async () => {
        return robot.runOf(await robot.submitted(INTENT));
      });
    },
    180_000,
  );

  for (const way of WORDED)
    it(way, async () => {
      call = toolFor(way);
      tried.add(way);
      await robot.stands(way, async () => robot.runOf(await inWords(robot, way)));
    }, 180_000);
  it.each<[Way, object]>([
    ['step of a plan', { subgoal: 'robot.maneuver', params: { kind: 'drive', distance_m: 0.3 } }],
    ['run of a run', { subgoal: INTENT, params: {} }],
  ])(
    '%s',
    async (way, step) => {
      call = { name: 'maze_explore_frontier', args: {} };
      steps = [{ ...step, deadline_ms: 60_000, success: [], fallback: 'abort' }];
      tried.add(way);
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

  it(LATER, () => robot.stillStands());
});

describe('a policy that forbids motion: the arm', () => {
  let robot: ForbiddenRobot;
  beforeAll(async () => {
    robot = await start(
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
    tried.add(way);
    await robot.stands(way, () => robot.refusal(path, body));
  });

  it('flow of the arm, with its controller', async () => {
    tried.add('flow of the arm, with its controller');
    const submit = async () => robot.runOf(await robot.submitted('arm/reach'));
    await robot.stands('flow of the arm, with its controller', submit);
  }, 120_000);

  it(LATER, () => robot.stillStands());

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
  let robot: ForbiddenRobot;
  let body: PythonPeer;
  let env: ReturnType<typeof rosEnvironment>;
  /** As the robot itself heard them. */
  const driven = () => (body.lines as SimCommand[]).filter((line) => 'linear' in line).filter(moves);
  beforeAll(async () => {
    env = rosEnvironment();
    body = new PythonPeer(env, 'ros_robot.py', ['/r1']);
    closing.push(() => body.close());
    await body.line((line: Record<string, unknown>) => 'ready' in line, 120_000);
    robot = await start('ros', '[robot]\nsource = "ros"\n[ros]\nnamespace = "/r1"\n', env);
  }, 15 * 60_000);

  it('ROS: goal of the intent action', async () => {
    tried.add('ROS: goal of the intent action');
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
    const goal = goalTo('/r1/navigate_to_pose');
    tried.add('HTTP: goal of a ROS action');
    await robot.stands('HTTP: goal of a ROS action', () => robot.refusal('/v1/ros/actions/goals', goal));
    expect(driven()).toEqual([]);
  });

  it(LATER, async () => {
    await robot.stillStands();
    expect(driven()).toEqual([]);
  });
});

it('every way of the list was tried', () => {
  expect([...tried].sort()).toEqual([...WAYS].sort());
});
