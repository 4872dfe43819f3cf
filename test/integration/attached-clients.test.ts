import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointOf } from '../../daemon/client/api-client.ts';
import {
  foxgloveDriver,
  listening,
  liveDriver,
  Ros,
  rosbridgeDriver,
  Topic,
} from '../support/attached-drivers.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { StockFoxglove } from '../support/foxglove-client.ts';
import { movingCommands, notingCommands, simCommands } from '../support/sim-commands.ts';
import { freePort } from '../support/zenoh.ts';

/** Stock clients at a daemon with the embedded simulation. What moved is read at the simulator. */
describe('stock clients of Foxglove and rosbridge', () => {
  const directory = freshDir('foxglove');
  const closing: (() => void)[] = [];
  let daemon: TestDaemon;
  let port: number;
  let rosbridge: number;
  let token: string;
  const commands = join(directory.path, 'commands');
  const moving = () => movingCommands(commands);
  const apiPort = () => Number(endpointOf(daemon.settings, '/').url.port);
  const attach = (query: string, subprotocol?: string) => {
    const client = new StockFoxglove(`ws://127.0.0.1:${port}/${query}`, subprotocol);
    closing.push(() => client.close());
    return client;
  };

  beforeAll(async () => {
    port = await freePort();
    rosbridge = await freePort();
    daemon = await testDaemon(join(directory.path, 'data'), {
      // In lockstep the world stands still while nothing is asked of the robot.
      AURAISON_SIM_PACE: 'realtime',
      AURAISON_SIM_SPEED: '1',
      AURAISON_FOXGLOVE_PORT: String(port),
      AURAISON_ROSBRIDGE_PORT: String(rosbridge),
      ...notingCommands(commands),
    });
    token = endpointOf(daemon.settings, '/').token!;
    for (const one of [port, rosbridge]) await listening(one);
  });
  afterAll(async () => {
    for (const close of closing) close();
    await daemon?.stop();
    directory.remove();
  });

  it('without a token, or with a wrong one, is refused', async () => {
    for (const query of ['', '?token=wrong']) {
      const client = attach(query);
      expect((await until(() => client.error, 'it is refused')).message).toContain('401');
      expect(client.info).toBeUndefined();
    }
  });

  it.each(['foxglove.sdk.v1', 'foxglove.websocket.v1'])('reads topics over %s', async (subprotocol) => {
    const client = attach(`?token=${token}`, subprotocol);
    const odom = await until(() => client.channel('/odom'), 'odometry is offered');
    expect(client.info?.capabilities).toEqual(['clientPublish', 'services', 'time', 'assets']);
    expect(odom).toMatchObject({ encoding: 'cdr', schemaName: 'nav_msgs/msg/Odometry' });
    client.client.subscribe(odom.id);
    const message = await until(() => client.messages[0], 'a message comes');
    const reader = new MessageReader(parse(odom.schema, { ros2: true }));
    expect(reader.readMessage(message.data)).toMatchObject({
      child_frame_id: 'base_link',
      pose: { pose: { position: { x: expect.any(Number) } } },
    });
    client.close();
  });

  it('the API serves the same at its own port', async () => {
    const url = `ws://127.0.0.1:${apiPort()}/v1/live`;
    const live = (shown?: string) => {
      const client = new StockFoxglove(url, 'foxglove.sdk.v1', shown);
      closing.push(() => client.close());
      return client;
    };
    for (const shown of [undefined, 'wrong']) {
      const refused = live(shown);
      expect((await until(() => refused.error, 'it is refused')).message).toContain('401');
    }
    const client = live(token);
    const odom = await until(() => client.channel('/odom'), 'odometry is offered');
    client.client.subscribe(odom.id);
    await until(() => client.messages.length > 5, 'messages come');
    client.close();
  });

  it('roslib reads topics', async () => {
    const ros = new Ros();
    await ros.connect(`ws://127.0.0.1:${rosbridge}/?token=${token}`);
    closing.push(() => ros.close());
    const topics = new Promise((resolve, reject) => ros.getTopics((found) => resolve(found.topics), reject));
    expect(await topics).toContain('/odom');
    for (const compression of ['none', 'cbor'] as const) {
      const heard: Record<string, unknown>[] = [];
      const odom = new Topic({
        ...{ ros, name: '/odom', messageType: 'nav_msgs/msg/Odometry', compression },
      });
      odom.subscribe((message) => heard.push(message));
      await until(() => heard[0], `odometry comes with ${compression}`);
      expect(heard[0]?.['child_frame_id']).toBe('base_link');
      odom.unsubscribe();
    }
  });

  it.each([
    ['Foxglove', foxgloveDriver, () => port],
    ['rosbridge', rosbridgeDriver, () => rosbridge],
    ['the API', liveDriver, () => apiPort()],
  ] as const)('%s moves the robot with the lease and not without it', async (_name, attachTo, portOf) => {
    const client = await attachTo(portOf(), token);
    closing.push(() => client.close());
    const before = moving().length;
    client.publish(0.2);
    await until(() => client.told().some((message) => message.includes('lease.lost')), 'it is refused');
    expect(moving()).toHaveLength(before);
    expect(await client.takeLease()).toContain('"success":true');
    await until(() => {
      client.publish(0.2);
      return moving().length > before;
    }, 'the robot moves');
    // A client that vanishes leaves no robot that drives.
    client.close();
    await until(async () => {
      const { state } = await daemon.api.get<{ state: string }>('/v1/lease');
      return state === 'free' && simCommands(commands).at(-1)?.linear === 0;
    }, 'the robot stands and is free');
  });
});
