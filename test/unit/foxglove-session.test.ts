import { describe, expect, it } from 'vitest';
import { EdgeError, LIMITS } from '../../contract/index.ts';
import { attach, data, GRAPH, MAP, request, SCAN } from '../support/foxglove-session.ts';

/** The protocol without a socket: messages in, frames out. */
describe('a Foxglove client', () => {
  it('learns what the server can do, the topics and the services', () => {
    const { ops } = attach({ isSimulated: true });
    expect(ops('serverInfo')).toMatchObject([
      {
        name: 'r1',
        sessionId: 's1',
        supportedEncodings: ['json', 'cdr'],
        capabilities: [
          ...['clientPublish', 'services', 'parameters', 'parametersSubscribe', 'connectionGraph'],
          ...['time', 'assets'],
        ],
      },
    ]);
    expect(ops('advertise')).toMatchObject([
      {
        channels: [
          { topic: '/scan', encoding: 'cdr', schemaEncoding: 'ros2msg', schema: SCAN.schema },
          { topic: '/map', schemaName: MAP.type },
        ],
      },
    ]);
    expect(ops('advertiseServices')[0]?.['services']).toMatchObject([
      { name: '/auraison/take_lease' },
      { name: '/auraison/return_lease' },
      { name: '/auraison/emergency_stop' },
    ]);
  });

  it('without a token looks, and is offered nothing that acts', async () => {
    const client = attach({ door: undefined });
    const { ops, send, settled } = client;
    expect(ops('serverInfo')[0]?.['capabilities']).toEqual(['connectionGraph', 'assets']);
    expect(ops('advertiseServices')).toEqual([]);
    send({ op: 'advertise', channels: [{ id: 1, topic: '/cmd_vel', encoding: 'json', schemaName: 'x' }] });
    client.session.receiveBinary(request(1, 9, '{}'));
    send({ op: 'setParameters', parameters: [{ name: '/amcl.speed', value: 3 }] });
    await settled();
    expect(client.door.asked).toEqual([]);
    expect(ops('serviceCallFailure')).toMatchObject([
      { callId: 9, message: expect.stringContaining('token') },
    ]);
    send({ op: 'subscribe', subscriptions: [{ id: 0, channelId: 1 }] });
    client.sample('/scan', new Uint8Array([1]));
    expect(client.binary()).toHaveLength(1);
  });

  it('without ROS is not offered what only ROS has', () => {
    const { ops, send } = attach({ hasRos: false });
    expect(ops('serverInfo')[0]?.['capabilities']).toEqual(['clientPublish', 'services', 'assets']);
    send({ op: 'getParameters', parameterNames: [] });
    send({ op: 'subscribeConnectionGraph' });
    expect(ops('status')).toHaveLength(2);
  });

  it('gets samples of what it subscribed to, with their time, until it unsubscribes', () => {
    const client = attach();
    client.send({ op: 'subscribe', subscriptions: [{ id: 42, channelId: 1 }] });
    expect(client.posted.at(-1)).toMatchObject({ kind: 'follow', added: ['/scan'] });
    client.sample('/scan', new Uint8Array([9, 8]));
    client.sample('/map', new Uint8Array([1]));
    const [frame] = client.binary() as Uint8Array[];
    expect([...frame!]).toEqual([1, 42, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 8]);
    client.send({ op: 'unsubscribe', subscriptionIds: [42] });
    expect(client.posted.at(-1)).toMatchObject({ kind: 'follow', removed: ['/scan'] });
    client.sample('/scan', new Uint8Array([1]));
    expect(client.binary()).toHaveLength(1);
  });

  it('gets the last messages of a latched topic at once', () => {
    const client = attach();
    client.send({ op: 'subscribe', subscriptions: [{ id: 1, channelId: 2 }] });
    const asked = client.posted.find((one) => one.kind === 'latest');
    expect(asked).toMatchObject({ topic: '/map' });
    client.sample('/map', new Uint8Array([3]), (asked as { ticket: number }).ticket);
    expect(client.binary()).toHaveLength(1);
  });

  it('gets the time of a simulation', () => {
    const client = attach({ isSimulated: true });
    client.send({ op: 'subscribe', subscriptions: [{ id: 1, channelId: 1 }] });
    client.sample('/scan', new Uint8Array([3]));
    client.sample('/scan', new Uint8Array([3]));
    expect(client.binary().map((frame) => (frame as Uint8Array)[0])).toEqual([1, 2, 1]);
  });

  it('hears of topics that come and go', () => {
    const client = attach();
    client.send({ op: 'subscribe', subscriptions: [{ id: 1, channelId: 1 }] });
    client.robot.receive({ kind: 'topics', added: [], removed: ['/scan'] });
    const gone = client.channels.remove('/scan');
    client.session.topicsChanged([], [gone!]);
    expect(client.ops('unadvertise')).toEqual([{ op: 'unadvertise', channelIds: [1] }]);
    const back = client.channels.add(SCAN);
    client.session.topicsChanged([back], []);
    expect(client.ops('advertise').at(-1)).toMatchObject({ channels: [{ id: 1, topic: '/scan' }] });
    client.send({ op: 'subscribe', subscriptions: [{ id: 1, channelId: 1 }] });
    expect(client.ops('status')).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['text that is not JSON', '{"op":'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no op', '{}'],
    ['an unknown op', '{"op":"__proto__"}'],
    ['subscriptions that are no list', '{"op":"subscribe","subscriptions":{}}'],
    ['a channel that does not exist', '{"op":"subscribe","subscriptions":[{"id":1,"channelId":99}]}'],
    ['an id that is no number', '{"op":"subscribe","subscriptions":[{"id":1e999,"channelId":1}]}'],
    ['an id below zero', '{"op":"subscribe","subscriptions":[{"id":-1,"channelId":1}]}'],
    ['an id beyond 32 bits', '{"op":"unsubscribe","subscriptionIds":[4294967296]}'],
    ['a subscription that does not exist', '{"op":"unsubscribe","subscriptionIds":[5]}'],
    ['more entries than a message may have', { op: 'unsubscribe', subscriptionIds: Array(2_000).fill(1) }],
    ['a name that is too long', { op: 'fetchAsset', requestId: 1, uri: 'x'.repeat(5_000) }],
    ['an empty binary message', new Uint8Array(0)],
    ['an unknown opcode', new Uint8Array([9, 0, 0, 0, 0])],
    ['a message on a channel that is not advertised', data(7, '{}')],
    ['a truncated service request', new Uint8Array([2, 1, 0, 0, 0, 1])],
    [
      'an encoding that ends beyond the frame',
      new Uint8Array([2, 1, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 0]),
    ],
  ])('is told what is wrong with %s, and goes on', (_what, message) => {
    const client = attach();
    if (message instanceof Uint8Array) client.session.receiveBinary(message);
    else client.session.receiveText(typeof message === 'string' ? message : JSON.stringify(message));
    expect(client.ops('status')).toMatchObject([{ level: 2, message: expect.stringMatching(/\w/) }]);
    client.send({ op: 'subscribe', subscriptions: [{ id: 0, channelId: 1 }] });
    client.sample('/scan', new Uint8Array([1]));
    expect(client.binary()).toHaveLength(1);
    expect(client.hungUp).toEqual([]);
  });

  it('that sends nothing but nonsense is disconnected', () => {
    const client = attach();
    for (let i = 0; i <= LIMITS.ATTACH_FAULTS_MAX; i++) client.session.receiveText('nonsense');
    expect(client.hungUp).toEqual([[1008, 'too many faulty messages']]);
    // The same fault is not reported a hundred times.
    expect(client.ops('status')).toHaveLength(1);
  });

  it('publishes JSON and CDR through the door, and hears why a message was refused', async () => {
    const client = attach();
    const advertise = (id: number, encoding: string, schemaName: string) =>
      client.send({ op: 'advertise', channels: [{ id, topic: '/cmd_vel', encoding, schemaName }] });
    advertise(1, 'json', 'geometry_msgs/Twist');
    advertise(2, 'cdr', 'geometry_msgs/msg/Twist');
    advertise(3, 'protobuf', 'x');
    client.session.receiveBinary(data(1, '{"linear":{"x":0.2}}'));
    client.session.receiveBinary(data(2, new Uint8Array([0, 1, 0, 0])));
    await client.settled();
    expect(client.door.asked).toEqual([
      ['publish', '/cmd_vel', 'geometry_msgs/msg/Twist', { linear: { x: 0.2 } }],
      ['publish', '/cmd_vel', 'geometry_msgs/msg/Twist', [0, 1, 0, 0]],
    ]);
    expect(client.ops('status')).toMatchObject([{ message: expect.stringContaining('found protobuf') }]);
    client.door.refusal = new EdgeError('lease.lost', {
      operation: 'steer',
      subject: 'robot',
      hint: 'take it',
    });
    for (let i = 0; i < 5; i++) {
      client.session.receiveBinary(data(1, '{"linear":{"x":0.2}}'));
      await client.settled();
    }
    const refusals = client.ops('status').filter(({ message }) => String(message).includes('lease.lost'));
    // Five refusals within a second are one report.
    expect(refusals).toMatchObject([{ level: 2, message: expect.stringContaining('take it') }]);
    client.session.receiveBinary(data(1, 'no JSON'));
    await client.settled();
    expect(client.ops('status')).toHaveLength(3);
  });

  it('takes the lease, stops the robot and calls services of the robot', async () => {
    const client = attach();
    const { added } = client.services.update(GRAPH);
    client.session.servicesChanged(added, []);
    expect(client.ops('advertiseServices').at(-1)).toMatchObject({
      services: [{ id: 4, name: '/amcl/reset' }],
    });
    for (const id of [1, 2, 3, 4]) client.session.receiveBinary(request(id, id, '{"a":1}'));
    await client.settled();
    expect(client.door.asked.map(([what]) => what)).toEqual(['take', 'return', 'stop', 'call']);
    expect(
      client.binary().map((frame) =>
        Buffer.from(frame as Uint8Array)
          .toString()
          .slice(17),
      ),
    ).toContain('{"done":true}');
  });

  it.each([
    ['a service that does not exist', request(77, 5, '{}')],
    ['a request that is no JSON', request(1, 5, 'NaN')],
    ['a request that is a list', request(1, 5, '[]')],
    ['an encoding that is not offered', request(1, 5, '{}', 'cdr')],
  ])('gets one failure for %s', async (_what, frame) => {
    const client = attach();
    client.session.receiveBinary(frame);
    await client.settled();
    expect(client.ops('serviceCallFailure')).toMatchObject([
      { callId: 5, message: expect.stringMatching(/\w/) },
    ]);
    expect(client.door.asked).toEqual([]);
  });

  it('reads, sets and follows parameters', async () => {
    const client = attach();
    client.session.graphChanged(GRAPH);
    client.send({ op: 'getParameters', parameterNames: [], id: 'all' });
    await client.settled();
    expect(client.ops('parameterValues')).toEqual([
      {
        op: 'parameterValues',
        id: 'all',
        parameters: [
          { name: '/amcl.speed', value: 1, type: 'float64' },
          { name: '/amcl.name', value: 'a' },
        ],
      },
    ]);
    client.send({ op: 'setParameters', parameters: [{ name: '/amcl.speed', value: 2 }], id: 'set' });
    await client.settled();
    // A whole number for a parameter that is a double stays a double.
    expect(client.door.asked).toEqual([['set', { speed: { kind: 'double', value: 2 } }]]);
    expect(client.ops('parameterValues').at(-1)).toMatchObject({ id: 'set', parameters: [{ value: 2 }] });
    client.send({ op: 'subscribeParameterUpdates', parameterNames: ['/amcl.speed'] });
    await client.settled();
    const before = client.ops('parameterValues').length;
    client.door.values = { speed: { kind: 'double', value: 5 } };
    await client.clock.advance(LIMITS.ATTACH_PARAMETERS_MS);
    await client.settled();
    await client.clock.advance(LIMITS.ATTACH_PARAMETERS_MS);
    await client.settled();
    expect(client.ops('parameterValues').slice(before)).toMatchObject([
      { parameters: [{ name: '/amcl.speed', value: 5 }] },
    ]);
  });

  it('gets the connection graph, then what changed', () => {
    const client = attach();
    client.send({ op: 'subscribeConnectionGraph' });
    expect(client.posted.at(-1)).toMatchObject({ graph: true });
    const ends = (...nodes: string[]) => nodes.map((node) => ({ node, type: 't', qos: undefined as never }));
    const topics = [{ topic: '/scan', types: ['t'], publishers: ends('/lidar'), subscribers: [] }];
    client.robot.receive({ kind: 'graph', graph: { ...GRAPH, topics } });
    client.robot.receive({ kind: 'graph', graph: { ...GRAPH, topics } });
    client.robot.receive({ kind: 'graph', graph: { ...GRAPH, services: [] } });
    expect(client.ops('connectionGraphUpdate')).toMatchObject([
      {
        publishedTopics: [{ name: '/scan', publisherIds: ['/lidar'] }],
        advertisedServices: [{ name: '/amcl/reset' }],
        removedTopics: [],
      },
      { removedTopics: ['/scan'], removedServices: ['/amcl/reset'] },
    ]);
    client.send({ op: 'unsubscribeConnectionGraph' });
    expect(client.posted.at(-1)).toMatchObject({ graph: false });
  });

  it('fetches assets, and hears why one is not given', async () => {
    const client = attach();
    client.send({ op: 'fetchAsset', uri: 'package://r/a.stl', requestId: 3 });
    client.send({ op: 'fetchAsset', uri: 'file:///etc/passwd', requestId: 4 });
    await client.settled();
    const [found, missing] = client.binary() as Uint8Array[];
    expect([...found!]).toEqual([4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    expect([missing![0], missing![1], missing![5]]).toEqual([4, 4, 1]);
    expect(Buffer.from(missing!.subarray(10)).toString()).toBe('no such file');
  });

  it('that reads nothing loses samples of the largest topic, and hears how many when it reads again', async () => {
    const client = attach();
    client.send({
      op: 'subscribe',
      subscriptions: [
        { id: 1, channelId: 1 },
        { id: 2, channelId: 2 },
      ],
    });
    client.socket.isStuck = true;
    // The socket takes 256 KiB, the queue 64 KiB.
    for (let i = 0; i < 100; i++) client.sample('/map', new Uint8Array(10_000));
    for (let i = 0; i < 50; i++) client.sample('/scan', new Uint8Array([i]));
    await client.clock.advance(LIMITS.ATTACH_REPORT_MS);
    await client.clock.advance(LIMITS.ATTACH_REPORT_MS);
    client.socket.isStuck = false;
    for (const done of client.stuck.splice(0)) done();
    const heads = client.binary().map((frame) => (frame as Uint8Array)[1]);
    expect(heads.filter((id) => id === 1)).toHaveLength(50);
    const arrived = heads.filter((id) => id === 2).length;
    expect(arrived).toBeLessThan(40);
    await client.clock.advance(LIMITS.ATTACH_REPORT_MS);
    expect(client.ops('status').map(({ message }) => String(message))).toEqual([
      expect.stringContaining(`${100 - arrived} messages of /map were dropped`),
    ]);
    expect(client.hungUp).toEqual([]);
  });

  it('that goes away leaves nothing behind', () => {
    const client = attach();
    client.send({ op: 'subscribe', subscriptions: [{ id: 1, channelId: 1 }] });
    client.send({ op: 'subscribeConnectionGraph' });
    client.session.close();
    expect(client.posted.at(-1)).toMatchObject({ kind: 'follow', graph: false });
    expect(client.door.asked).toEqual([['close']]);
    client.sample('/scan', new Uint8Array([1]));
    expect(client.binary()).toEqual([]);
  });

  it('reads the parameters of so many nodes at a time, since each may not answer', async () => {
    const client = attach();
    const asked: string[] = [];
    client.door.parameters = async (node) => {
      asked.push(node);
      return {};
    };
    const parameterNames = Array.from({ length: 200 }, (_, i) => `/node_${i}.speed`);
    client.send({ op: 'getParameters', parameterNames, id: 'all' });
    while (client.ops('parameterValues').length === 0) await client.settled();
    expect(asked).toHaveLength(LIMITS.ATTACH_NODES_MAX);
    expect(client.ops('status')).toMatchObject([{ message: 'expected at most 64 nodes, found 200' }]);
  });

  it('stops the robot whatever else waits, and with any body', async () => {
    const client = attach();
    client.services.update(GRAPH);
    client.door.call = () => new Promise(() => {});
    for (let i = 0; i <= LIMITS.ATTACH_CALLS_MAX; i++) client.session.receiveBinary(request(4, i, '{}'));
    const stop = client.services.all().find(({ name }) => name === '/auraison/emergency_stop')!.id;
    client.session.receiveBinary(request(stop, 90, '{"broken'));
    client.session.receiveBinary(request(stop, 91, '', 'cdr'));
    await client.settled();
    expect(client.door.asked.filter(([what]) => what === 'stop')).toHaveLength(2);
  });
});
