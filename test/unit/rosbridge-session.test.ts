import { decode } from 'cbor2';
import { describe, expect, it } from 'vitest';
import { MessageTexts } from '../../adapters/rosbridge/message-json.ts';
import { RosbridgeSession, type SessionParts } from '../../adapters/rosbridge/session.ts';
import { EdgeError, LIMITS, type Sample } from '../../contract/index.ts';
import { encodeAny, schemaFor } from '../../formats/ros2/index.ts';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import { SendQueue } from '../../io/attached/send-queue.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { FakeDoor, GRAPH } from '../support/foxglove-session.ts';

type Json = Record<string, unknown>;
const SCAN = 'sensor_msgs/msg/LaserScan';
const IMAGE = 'sensor_msgs/msg/CompressedImage';

function attach(more: Partial<SessionParts> = {}) {
  const clock = new ManualClock();
  const robot = new AttachedRobot(() => {});
  const offered = [
    ['/scan', SCAN],
    ['/image', IMAGE],
  ].map(([topic, type]) => ({ topic: topic!, type: type!, schema: schemaFor(type!)!.data, latched: false }));
  robot.receive({ kind: 'topics', added: offered, removed: [] });
  const frames: (Uint8Array | string)[] = [];
  const hungUp: number[] = [];
  const socket = { isStuck: false };
  const stuck: (() => void)[] = [];
  const door = new FakeDoor();
  const queue: SendQueue = new SendQueue({
    bytesMax: 1024 * 1024,
    send: (frame, done) => {
      frames.push(frame);
      if (socket.isStuck) stuck.push(done);
      else done();
    },
    dropped: (topic, count) => session.lost(topic, count),
    overrun: () => {},
  });
  const session: RosbridgeSession = new RosbridgeSession({
    ...{ clock, robot, door, queue, texts: new MessageTexts(), hasRos: true },
    hangUp: (code) => hungUp.push(code),
    ...more,
  });
  const json = () => frames.filter((one) => typeof one === 'string').map((one) => JSON.parse(one) as Json);
  return {
    ...{ clock, robot, session, door, frames, hungUp, socket, stuck, json },
    send: (message: unknown) => session.receive(JSON.stringify(message)),
    ops: (op: string) => json().filter((one) => one['op'] === op),
    sample: (topic: string, type: string, value: Json) => {
      const sample: Sample = {
        topic,
        type,
        stamp: 5n,
        received: 1_000_000_007n,
        bytes: encodeAny(type, value),
      };
      robot.receive({ kind: 'sample', sample });
    },
    settled: async () => {
      for (let i = 0; i < 40; i++) await Promise.resolve();
    },
  };
}

describe('a rosbridge client', () => {
  it('gets messages as JSON until it unsubscribes: bytes are base64, and what JSON lacks is null', () => {
    const client = attach();
    client.send({ op: 'subscribe', id: 's1', topic: '/scan' });
    client.send({ op: 'subscribe', topic: 'image' });
    client.sample('/scan', SCAN, { ranges: [1.5, Number.POSITIVE_INFINITY] });
    client.sample('/image', IMAGE, { format: 'jpeg', data: [1, 2, 3] });
    expect(client.ops('publish')).toMatchObject([
      { topic: '/scan', msg: { ranges: [1.5, null], header: { stamp: { sec: 0 } } } },
      { topic: '/image', msg: { format: 'jpeg', data: 'AQID' } },
    ]);
    client.send({ op: 'unsubscribe', id: 's1' });
    client.send({ op: 'unsubscribe', topic: '/image' });
    client.sample('/scan', SCAN, {});
    client.sample('/image', IMAGE, {});
    expect(client.ops('publish')).toHaveLength(2);
  });

  it('gets CBOR with typed arrays, or the bytes as they travelled', () => {
    const client = attach();
    client.send({ op: 'subscribe', topic: '/scan', compression: 'cbor' });
    client.send({ op: 'subscribe', id: 'raw', topic: '/scan', compression: 'cbor-raw' });
    client.sample('/scan', SCAN, { ranges: [1.5, 2] });
    const [message, raw] = client.frames.map((frame) => decode(frame as Uint8Array)) as [Json, Json];
    expect(message).toMatchObject({
      op: 'publish',
      topic: '/scan',
      msg: { ranges: new Float32Array([1.5, 2]) },
    });
    expect(raw).toMatchObject({ msg: { secs: 1, nsecs: 7, bytes: encodeAny(SCAN, { ranges: [1.5, 2] }) } });
    client.send({ op: 'subscribe', id: 'png', topic: '/scan', compression: 'png' });
    expect(client.ops('status')).toMatchObject([{ level: 'warning', msg: expect.stringContaining('png') }]);
  });

  it('gets at most one message per throttle_rate, and waits for queue_length of them', async () => {
    const client = attach();
    client.send({ op: 'subscribe', id: 'slow', topic: '/scan', throttle_rate: 100 });
    for (let i = 0; i < 10; i++) {
      client.sample('/scan', SCAN, { angle_min: i });
      await client.clock.advance(50);
    }
    expect(client.ops('publish')).toHaveLength(5);
    client.send({ op: 'unsubscribe', id: 'slow' });
    client.send({ op: 'subscribe', topic: '/scan', queue_length: 2 });
    client.socket.isStuck = true;
    const before = client.frames.length;
    for (let i = 0; i < 20; i++)
      client.sample('/scan', SCAN, { angle_min: i, ranges: Array(20_000).fill(0.125) });
    client.socket.isStuck = false;
    for (let done = client.stuck.shift(); done; done = client.stuck.shift()) done();
    const seen = client.frames
      .slice(before)
      .map((frame) => (JSON.parse(frame as string) as Json)['msg'] as Json);
    // What the socket took at once, then the two newest.
    expect(seen.slice(-2).map((msg) => msg['angle_min'])).toEqual([18, 19]);
    expect(seen.length).toBeLessThan(10);
  });

  it('publishes through the door, and hears why a message was refused', async () => {
    const client = attach();
    client.send({ op: 'advertise', topic: '/cmd_vel', type: 'geometry_msgs/Twist' });
    client.send({ op: 'publish', topic: '/cmd_vel', msg: { linear: { x: 0.1 } } });
    await client.settled();
    expect(client.door.asked).toEqual([
      ['publish', '/cmd_vel', 'geometry_msgs/msg/Twist', { linear: { x: 0.1 } }],
    ]);
    client.door.refusal = new EdgeError('lease.lost', {
      operation: 'steer',
      subject: 'robot',
      hint: 'take it',
    });
    client.send({ op: 'publish', topic: '/cmd_vel', msg: {} });
    await client.settled();
    expect(client.ops('status')).toMatchObject([{ level: 'error', msg: expect.stringContaining('take it') }]);
  });

  it('without a token looks and does not act', async () => {
    const client = attach({ door: undefined });
    client.send({ op: 'publish', topic: '/cmd_vel', type: 'geometry_msgs/Twist', msg: {} });
    client.send({ op: 'call_service', id: 'c', service: '/auraison/take_lease' });
    client.send({ op: 'send_action_goal', id: 'g', action: '/a', action_type: 'p/action/A', args: {} });
    client.send({ op: 'subscribe', topic: '/scan' });
    client.sample('/scan', SCAN, {});
    await client.settled();
    expect(client.door.asked).toEqual([]);
    expect(client.ops('service_response')).toMatchObject([{ id: 'c', result: false }]);
    expect(client.ops('publish')).toHaveLength(1);
  });

  it('calls services of the robot, of this server and of rosapi', async () => {
    const client = attach();
    client.robot.receive({ kind: 'graph', graph: GRAPH });
    client.send({ op: 'call_service', id: '1', service: '/amcl/reset', args: { a: 1 } });
    client.send({ op: 'call_service', id: '2', service: '/auraison/take_lease' });
    client.send({ op: 'call_service', id: '3', service: '/rosapi/topics' });
    client.send({ op: 'call_service', id: '4', service: '/none' });
    client.send({ op: 'call_service', id: '5', service: '/rosapi/constructor' });
    client.send({ op: 'call_service', id: '6', service: '/amcl/reset', args: [1] });
    await client.settled();
    expect(client.door.asked).toHaveLength(2);
    expect(client.door.asked).toContainEqual(['call', '/amcl/reset', 'std_srvs/srv/Empty', { a: 1 }]);
    expect(client.door.asked).toContainEqual(['take']);
    const answers = Object.fromEntries(client.ops('service_response').map((one) => [one['id'], one]));
    expect(answers['1']).toMatchObject({ result: true, values: { done: true } });
    expect(answers['3']).toMatchObject({ values: { topics: ['/scan', '/image'], types: [SCAN, IMAGE] } });
    for (const id of ['4', '5', '6'])
      expect(answers[id]).toMatchObject({ result: false, values: expect.stringMatching(/\w/) });
  });

  it('reads and sets parameters by rosapi', async () => {
    const client = attach();
    client.send({ op: 'call_service', id: '1', service: '/rosapi/get_param', args: { name: '/amcl:speed' } });
    await client.settled();
    client.send({
      ...{ op: 'call_service', id: '2', service: '/rosapi/set_param' },
      args: { name: 'amcl:speed', value: '3' },
    });
    client.send({
      op: 'call_service',
      id: '3',
      service: '/rosapi/set_param',
      args: { name: 'x', value: '3' },
    });
    await client.settled();
    const answers = Object.fromEntries(client.ops('service_response').map((one) => [one['id'], one]));
    expect(answers['1']).toMatchObject({ values: { value: '1', successful: true } });
    expect(answers['2']).toMatchObject({ values: { successful: true } });
    expect(answers['3']).toMatchObject({ result: false, values: expect.stringContaining('node:name') });
    expect(client.door.asked).toEqual([['set', { speed: { kind: 'double', value: 3 } }]]);
  });

  it('sends goals, hears of their progress once and of their end, and cancels what it leaves', async () => {
    const client = attach();
    const view = { goal_id: 'f'.repeat(32), state: 'running', reason: '', feedback_seq: 1, feedback: [] };
    const feedback = [{ seq: 1, value: { left: 2 } }];
    client.door.goalViews = [
      { ...view, feedback },
      { ...view, feedback },
      { ...view, state: 'succeeded', result: { ok: true } },
    ];
    const goal = { op: 'send_action_goal', id: 'g1', action: '/spin', action_type: 'nav2_msgs/action/Spin' };
    client.send({ ...goal, args: { target_yaw: 1 }, feedback: true });
    for (let i = 0; i < 3; i++) {
      await client.settled();
      await client.clock.advance(200);
    }
    await client.settled();
    expect(client.json()).toMatchObject([
      { op: 'action_feedback', id: 'g1', values: { left: 2 } },
      { op: 'action_result', id: 'g1', status: 4, result: true, values: { ok: true } },
    ]);
    client.door.goalViews = [view];
    client.send({ ...goal, id: 'g2', args: {} });
    await client.settled();
    client.session.close();
    expect(client.door.asked.slice(-2)).toEqual([['cancel', view.goal_id], ['close']]);
  });

  it.each<[string, string]>([
    ['text that is not JSON', '{"op":'],
    ['a list', '[]'],
    ['no op', '{}'],
    ['an op that is no text', '{"op":7}'],
    ['an unknown op', '{"op":"__proto__"}'],
    ['a topic that is no text', '{"op":"subscribe","topic":{}}'],
    ['an id that is an object', '{"op":"subscribe","id":{},"topic":"/scan"}'],
    ['a message that is a list', '{"op":"publish","topic":"/a","msg":[]}'],
    ['a message of an unknown type', '{"op":"publish","topic":"/a","msg":{}}'],
    ['a service of the client', '{"op":"advertise_service","service":"/a","type":"b"}'],
    ['a goal without a type', '{"op":"send_action_goal","id":"1","action":"/a"}'],
  ])('is told what is wrong with %s, and goes on', (_what, message) => {
    const client = attach();
    client.session.receive(message);
    expect(client.ops('status')).toMatchObject([{ level: 'error', msg: expect.stringMatching(/\w/) }]);
    client.send({ op: 'subscribe', topic: '/scan', throttle_rate: 'NaN', queue_length: -1 });
    client.sample('/scan', SCAN, {});
    expect(client.ops('publish')).toHaveLength(1);
  });

  it('that sends nothing but nonsense is disconnected', () => {
    const client = attach();
    for (let i = 0; i <= LIMITS.ATTACH_FAULTS_MAX; i++) client.session.receive('nonsense');
    expect(client.hungUp).toEqual([1008]);
  });

  it('cancels a goal that the robot had not taken yet when the client cancelled it', async () => {
    const client = attach();
    const taken = Promise.withResolvers<void>();
    const goalId = 'e'.repeat(32);
    client.door.sendGoal = async () => {
      await taken.promise;
      return { goal_id: goalId, state: 'running', reason: '', feedback_seq: 0, feedback: [] };
    };
    client.send({ op: 'send_action_goal', id: 'g', action: '/spin', action_type: 'p/action/A', args: {} });
    client.send({ op: 'cancel_action_goal', id: 'g', action: '/spin' });
    taken.resolve();
    await client.settled();
    expect(client.door.asked).toEqual([['cancel', goalId]]);
  });

  it('stops the robot whatever else waits, and with any arguments', async () => {
    const client = attach();
    client.door.call = () => new Promise(() => {});
    for (let i = 0; i <= LIMITS.ATTACH_CALLS_MAX; i++)
      client.send({ op: 'call_service', service: '/amcl/reset', type: 'std_srvs/Empty' });
    for (const args of [[], 'now', {}])
      client.send({ op: 'call_service', id: 's', service: '/auraison/emergency_stop', args });
    await client.settled();
    expect(client.door.asked.filter(([what]) => what === 'stop')).toHaveLength(3);
  });

  it('without a token sees topics, types and nodes in rosapi, and neither parameters nor services', async () => {
    const client = attach({ door: undefined });
    const call = async (service: string, args: Json = {}) => {
      client.send({ op: 'call_service', id: service, service: `/rosapi/${service}`, args });
      await client.settled();
      return client.ops('service_response').at(-1)!;
    };
    const qos = {} as never;
    client.robot.receive({
      kind: 'graph',
      graph: {
        ...GRAPH,
        topics: [
          {
            topic: '/scan',
            types: [SCAN],
            publishers: [
              { node: '/lidar', type: SCAN, qos },
              { node: '/lidar', type: SCAN, qos },
            ],
            subscribers: [{ node: '/amcl', type: SCAN, qos }],
          },
        ],
        actions: [{ name: '/spin', types: ['nav2_msgs/action/Spin'] }],
      },
    });
    const answers = async (service: string, args: Json, values: Json) =>
      expect(await call(service, args)).toMatchObject({ result: true, values });
    await answers('publishers', { topic: '/scan' }, { publishers: ['/lidar'] });
    await answers('subscribers', { topic: '/scan' }, { subscribers: ['/amcl'] });
    await answers('node_details', { node: '/amcl' }, { publishing: [], subscribing: ['/scan'] });
    await answers('action_type', { action: '/spin' }, { type: 'nav2_msgs/action/Spin' });
    await answers('service_type', { service: '/auraison/take_lease' }, { type: 'std_srvs/srv/Trigger' });
    expect((await call('interfaces'))['values']).toMatchObject({
      interfaces: expect.arrayContaining([SCAN, 'nav2_msgs/action/Spin', 'std_srvs/srv/Empty']),
    });
    const details = (await call('message_details', { type: 'sensor_msgs/LaserScan' }))['values'] as {
      typedefs: { type: string; fieldnames: string[]; fieldtypes: string[]; fieldarraylen: number[] }[];
    };
    const [scan] = details.typedefs;
    const at = scan!.fieldnames.indexOf('ranges');
    expect([scan!.type, scan!.fieldtypes[at], scan!.fieldarraylen[at]]).toEqual([
      'sensor_msgs/LaserScan',
      'float32',
      0,
    ]);
    expect(details.typedefs.map(({ type }) => type)).toContain('std_msgs/Header');
    await answers(
      'action_goal_details',
      { type: 'nav2_msgs/action/Spin' },
      { typedefs: expect.arrayContaining([expect.objectContaining({ type: 'nav2_msgs/Spin_Goal' })]) },
    );
    for (const service of ['get_param', 'set_param', 'has_param'])
      expect(await call(service, { name: '/amcl:speed', value: '1' })).toMatchObject({
        result: false,
        values: expect.stringContaining('connect with a token'),
      });
    expect(await call('message_details', { type: 'acme/Unknown' })).toMatchObject({ result: false });
    expect(await call('service_request_details', { type: 'acme/Unknown' })).toMatchObject({ result: false });
    client.send({ op: 'call_service', id: 'own', service: '/auraison/take_lease' });
    await client.settled();
    expect(client.ops('service_response').at(-1)).toMatchObject({ id: 'own', result: false });
  });
});
