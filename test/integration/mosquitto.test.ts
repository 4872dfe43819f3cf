import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { type MqttAccess, MqttBroker } from '../../adapters/mqtt/mqtt-broker.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { Authority } from '../../central/authority.ts';
import { openInvitations } from '../../central/invitations.ts';
import { type RunningCentral, startCentral } from '../../central/start-central.ts';
import {
  type Broker,
  type BrokerMessage,
  CELL_NAMES,
  type LinkStatus,
  type LinkSyncReply,
  mqttTopic,
  type RunDetails,
} from '../../contract/index.ts';
import { enrolRobot } from '../../daemon/compose/link-identity.ts';
import { brokerConformance } from '../conformance/broker.ts';
import { auraison, finishedRun, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { heldAt } from '../support/disk-rig.ts';
import { Mosquitto } from '../support/mosquitto.ts';
import { freePort } from '../support/zenoh.ts';

const clock = new SystemClock();
const brokerAt = (url: string, access: MqttAccess = {}) =>
  new MqttBroker({
    ...{ url, clock, random: () => 0.5, access: () => access },
    clientId: `test-${randomBytes(6).toString('hex')}`,
  });

/** A wire to the broker that a test cuts. */
async function wireTo(port: number) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = new (near.constructor as typeof Socket)().connect(port, '127.0.0.1');
    for (const one of [near, far]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const end = () => {
    cut();
    server.close();
  };
  return { port: (server.address() as { port: number }).port, cut, end };
}

brokerConformance('MQTT.js and Mosquitto', async () => {
  const directory = freshDir('mosquitto');
  const mosquitto = await Mosquitto.start(directory.path);
  const clients = new Map<Broker, Awaited<ReturnType<typeof wireTo>>>();
  const wires: Awaited<ReturnType<typeof wireTo>>[] = [];
  for (let i = 0; i < 4; i++) wires.push(await wireTo(mosquitto.port));
  return {
    patienceMs: 10_000,
    client() {
      const wire = wires[clients.size]!;
      const client = brokerAt(`mqtt://127.0.0.1:${wire.port}`);
      clients.set(client, wire);
      return client;
    },
    cut: (client) => clients.get(client)!.cut(),
    async end() {
      await Promise.all([...clients.keys()].map((client) => client.close()));
      for (const wire of wires) wire.end();
      await mosquitto.kill();
      directory.remove();
    },
  };
});

describe('a broker with TLS and passwords', () => {
  it('lets in who shows both, and says to others what is wrong', async () => {
    const directory = freshDir('mosquitto');
    const authority = await Authority.open(new FileSecrets(directory.path, 'test'), clock);
    const tls = await authority.issueServer(['localhost']);
    const mosquitto = await Mosquitto.start(directory.path, { tls, users: { robot: 'right' } });
    const open: Broker[] = [];
    const reasonOf = async (access: MqttAccess) => {
      const client = brokerAt(mosquitto.url, access);
      open.push(client);
      client.open({ topics: ['a'], onMessage: () => {} });
      return await until(() => {
        const { connected, reason } = client.status();
        return connected ? 'connected' : reason !== 'not connected yet' && reason;
      }, 'an answer of the broker');
    };
    const ca = authority.bundle;
    expect(await reasonOf({ ca, username: 'robot', password: 'right' })).toBe('connected');
    expect(await reasonOf({ ca, username: 'robot', password: 'wrong' })).toMatch(/refuses name and password/);
    expect(await reasonOf({ username: 'robot', password: 'right' })).toMatch(/authority that does not count/);
    await mosquitto.kill();
    await until(() => /closed|no broker listens/.test(open[0]!.status().reason), 'it is noticed');
    await expect(open[0]!.publish({ topic: 'a', payload: Buffer.from('1') })).rejects.toMatchObject({
      code: 'link.unreachable',
    });
    await mosquitto.again();
    await until(() => open[0]!.status().connected, 'it is connected again', 30_000);
    for (const one of open) await one.close();
    await mosquitto.kill();
    directory.remove();
  });

  it('that sends more than a message may have is left', async () => {
    const endless = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        // A publication of 200 MB, which never ends.
        socket.write(Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]));
        socket.write(Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f]));
        const pour = () => {
          while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'x')));
        };
        socket.on('drain', pour);
        pour();
      });
    });
    endless.listen(0, '127.0.0.1');
    await new Promise((resolve) => endless.once('listening', resolve));
    const client = brokerAt(`mqtt://127.0.0.1:${(endless.address() as { port: number }).port}`);
    client.open({ topics: ['a'], onMessage: () => {} });
    await until(() => client.status().reason.includes('more than a message may have'), 'it is left');
    await client.close();
    endless.close();
  });
});

describe('a robot that reaches central through a broker alone', () => {
  let directory: ReturnType<typeof freshDir>;
  let daemon: TestDaemon | undefined;
  let central: RunningCentral | undefined;
  let mosquitto: Mosquitto;
  beforeEach(async () => {
    directory = freshDir('link-mqtt');
    mosquitto = await Mosquitto.start(directory.path);
  });
  afterEach(async () => {
    await daemon?.stop();
    await central?.stop();
    await mosquitto.kill();
    directory.remove();
  });

  it('brings each event once, takes orders, and is known to be there, over kills of each part and messages that are sent again', async () => {
    const port = await freePort();
    const dataDir = join(directory.path, 'robot');
    const at = join(directory.path, 'central');
    const open = async () => {
      central = await startCentral({
        ...{ dataDir: at, port, clock, host: '127.0.0.1', auth: 'certificate', tls: {} },
        ...{ secrets: new FileSecrets(at, 'test'), broker: brokerAt(mosquitto.url) },
      });
    };
    await open();
    const desk = await openInvitations(at, new FileSecrets(at, 'cli'), clock);
    const token = await desk.invite('robot', 3_600_000);
    const url = `https://localhost:${port}`;
    await enrolRobot({ url, token, robot: 'robot', dataDir, clock, ca: undefined, trustFirst: false });
    daemon = await testDaemon(dataDir, {
      AURAISON_LINK_MQTT_URL: mosquitto.url,
      AURAISON_INTENTS_CENTRAL: 'true',
      AURAISON_SIM_WIDTH: '4',
      AURAISON_SIM_HEIGHT: '4',
    });
    const robot = daemon;
    const presence = () => desk.list()[0]?.presence;
    const status = () => robot.api.get<LinkStatus>('/v1/link');
    await until(() => presence() === 'online', 'central knows that the robot is there');
    await until(async () => (await status()).broker?.state === 'connected', 'the robot is at the broker');

    // Somebody who hears all, and sends all again.
    const heard: BrokerMessage[] = [];
    const spy = brokerAt(mosquitto.url);
    spy.open({
      topics: ['auraison/v2/#'],
      onMessage: (message) => {
        if (heard.length >= 400) return;
        heard.push(message);
        void spy.publish(message).catch(() => {});
      },
    });

    // An order of an operator at central reaches the robot through the broker, and its end comes back.
    const orders = async (method: string, path: string, body?: unknown) => {
      const asked = request(`${url}${path}`, {
        ...{ method, rejectUnauthorized: false },
        headers: { 'content-type': 'application/json', authorization: `Bearer ${central!.operatorToken}` },
      });
      asked.end(body === undefined ? undefined : JSON.stringify(body));
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      const answer = await textOf(response);
      expect(response.statusCode, answer).toBe(200);
      return JSON.parse(answer) as { order_id: string; orders?: { state: string }[] };
    };
    const { order_id } = await orders('POST', '/orders/v1', {
      ...{ robot: 'robot', kind: 'intent' },
      body: { type: 'maze/find_exit', params: {} },
    });
    const runs = await until(async () => {
      const { runs: found } = await robot.api.get<{ runs: RunDetails[] }>('/v1/runs');
      return found.length > 0 && found;
    }, 'the order is a run');
    for (let i = 0; i < 3; i++) {
      await mosquitto.kill();
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (i === 1) await central!.stop();
      await mosquitto.again();
      if (i === 1) await open();
      await until(async () => (await status()).broker?.state === 'connected', 'the robot is back', 60_000);
    }
    expect((await finishedRun(robot.api, runs[0]!.run.run_id)).run.status).toBe('succeeded');
    mosquitto.publish(mqttTopic('robot', 'events'), '{"nonsense": true}');
    mosquitto.publish(mqttTopic('robot', 'receipts'), 'x'.repeat(2_000_000));
    await spy.close();
    const ended = async () =>
      (await orders('GET', `/orders/v1?robot=robot&order_id=${order_id}`)).orders?.[0];
    await until(async () => (await ended())?.state === 'finished', 'central knows how it ended', 60_000);
    expect((await robot.api.get<{ runs: unknown[] }>('/v1/runs')).runs, 'done once').toHaveLength(1);

    const synced = await robot.api.post<LinkSyncReply>('/v1/link/sync', { timeout_ms: 60_000 }, 90_000);
    expect(synced).toMatchObject({ state: 'connected', behind: 0 });
    const { lanes } = heldAt(at, 'robot');
    const events = new DatabaseSync(join(at, 'central.db'), { readOnly: true });
    for (const cell of CELL_NAMES) {
      const lane = `events.${cell}`;
      const { rows, ids, last } = lanes.find((one) => one.lane === lane)!;
      expect([lane, rows, ids], 'each once').toEqual([lane, last, last]);
      const own = openEventReader(dataDir, cell);
      const held = events
        .prepare('SELECT hash FROM event e JOIN lane l ON l.id = e.lane_id WHERE lane = ? AND e.seq = ?')
        .get(lane, last);
      // The hash of an event stands for all before it.
      expect(own.read(last - 1, 1)[0]!.hash, lane).toBe(held!['hash']);
      own.close();
    }
    events.close();
    expect(auraison(['link', 'status', '--data-dir', dataDir]).stdout).toMatch(/broker: connected/);
    expect(auraison(['central', 'robots', '--data-dir', at]).stdout).toMatch(/robot .*online/);

    // Killed, it says nothing any more: the broker does.
    process.kill(await robot.pidOf('link'), 'SIGKILL');
    await until(() => presence() === 'offline', 'central knows that it is gone');
    await until(() => presence() === 'online', 'and that it is back');
    desk.close();
  }, 300_000);
});
