import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerLine, RouteStatus } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { allEvents, auraison, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { isBalanced } from '../support/route-rig.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** The whole daemon between rclpy over Fast DDS and python eclipse-zenoh: nobody else's code in the middle. */
const INSTALL_MS = 15 * 60_000;

type Seen = Record<
  string,
  { count: number; numbers: number[]; encoding: string; note: Record<string, unknown> }
>;
type Answer = { routes: RouteStatus[]; ledger: LedgerLine[] };

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, INSTALL_MS);

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  directory = freshDir('routes');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

async function daemonWith(toml: string): Promise<{ daemon: TestDaemon; endpoint: string }> {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const config = join(directory.path, 'robot.toml');
  writeFileSync(config, toml);
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...env,
    AURAISON_CONFIG: config,
    AURAISON_DAEMON_NAME: 'r7',
    AURAISON_ROBOT_SOURCE: 'ros',
    AURAISON_ZENOH_ENABLED: 'true',
    AURAISON_ZENOH_MODE: 'router',
    AURAISON_ZENOH_LISTEN: endpoint,
  });
  closing.push(() => daemon.stop());
  return { daemon, endpoint };
}

function ros(...args: string[]): PythonPeer {
  const peer = new PythonPeer(env, 'ros_route.py', args);
  closing.push(() => peer.close());
  return peer;
}

async function zenoh(...args: string[]): Promise<ZenohPeer> {
  const peer = new ZenohPeer('zenoh_route.py', ...args);
  closing.push(() => peer.kill());
  return peer;
}

const routes = (daemon: TestDaemon) => daemon.api.get<Answer>('/v1/routes');

const up = (daemon: TestDaemon) =>
  until(
    async () => (await routes(daemon)).routes.every(({ state }) => state === 'up'),
    'all routes are up',
    90_000,
  );

const topic = (name: string) =>
  `[[ros.topics]]\ntopic = "${name}"\ntype = "std_msgs/msg/UInt32"\ndepth = 1000\n`;

describe('routes between rclpy and eclipse-zenoh', () => {
  const TOML = `
[robot]
harmless = ["/goal/**", "/orders"]
${topic('/count/all')}${topic('/count/secret')}
[[routes]]
name = "all"
from = "ros:/count/*"
to = "zenoh:fleet/{robot}/*"
deny = ["/count/secret"]
[[routes]]
name = "third"
from = "ros:/count/all"
to = "zenoh:third/{topic}"
keep_every = 3
priority = "background"
[[routes]]
name = "slow"
from = "bus:/count/all"
to = "zenoh:slow/{topic}"
rate = "10 Hz"
[[routes]]
name = "goals"
from = "zenoh:goals/*"
to = "ros:/goal/*"
[[routes]]
name = "orders"
from = "zenoh:orders"
to = "ros:/orders"
type = "std_msgs/msg/UInt32"
`;

  it('bring every sample there and back, thin out exactly, deny, and count all of it', async () => {
    const { daemon, endpoint } = await daemonWith(TOML);
    await up(daemon);
    const listener = await zenoh('listen', endpoint, '**');
    await listener.until((line) => 'ready' in line);
    const orders = ros('listen', '/orders');
    await orders.line((line: { ready?: boolean }) => line.ready === true, 60_000);

    const plan = { '/count/all': { count: 500, hz: 200 }, '/count/secret': { count: 50, hz: 20 } };
    const publisher = ros('publish', JSON.stringify(plan));
    const { seconds } = await publisher.line<{ sent: unknown; seconds: number }>(() => true, 90_000);
    const seen = await until(() => {
      const last = listener.lines.findLast((line) => 'seen' in line)?.['seen'] as Seen | undefined;
      return last && last['fleet/r7/all']?.count === 500 && last;
    }, 'all 500 came');
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    expect(seen['fleet/r7/all']!.numbers).toEqual(numbers);
    expect(seen['fleet/r7/all']).toMatchObject({
      encoding: 'application/cdr;std_msgs/msg/UInt32',
      note: { type: 'std_msgs/msg/UInt32', seq: 500, source: expect.stringMatching(/^[0-9a-f]+$/) },
    });
    expect(seen['third/count/all']!.numbers).toEqual(numbers.filter((n) => n % 3 === 0));
    expect(seen['fleet/r7/secret']).toBeUndefined();
    // The newest at each turn of 100 ms, the last one included; a late machine has fewer turns, never more.
    const slow = seen['slow/count/all']!.numbers;
    expect(slow.length).toBeLessThanOrEqual(Math.floor(seconds * 10) + 3);
    expect(slow.at(-1)).toBe(499);

    const putter = await zenoh('put', endpoint, 'orders', '200', '200', 'application/cdr');
    await putter.until((line) => 'put' in line);
    await orders.line((line: { n?: number }) => line.n === 199, 30_000);
    expect(orders.lines.flatMap((line) => (line as { n?: number }).n ?? [])).toEqual(numbers.slice(0, 200));

    // The type as the sender says it; the robot does not know the topic before.
    const goals = ros('listen', '/goal/r9');
    const sender = await zenoh(
      'put',
      endpoint,
      'goals/r9',
      '100',
      '20',
      'application/cdr;std_msgs/msg/UInt32',
    );
    await sender.until((line) => 'put' in line);
    await goals.line((line: { n?: number }) => line.n === 99, 30_000);

    const { ledger } = await routes(daemon);
    const of = (hop: string, name: string) => ledger.find((line) => line.hop === hop && line.topic === name);
    expect(of('route:all', '/count/all')).toMatchObject({ received: 500, forwarded: 500, dropped: {} });
    expect(of('route:all', '/count/secret')).toMatchObject({
      received: 50,
      forwarded: 0,
      dropped: { denied: 50 },
    });
    expect(of('route:third', '/count/all')).toMatchObject({ forwarded: 167, dropped: { decimated: 333 } });
    expect(of('route:slow', '/count/all')).toMatchObject({
      received: 500,
      forwarded: slow.length,
      dropped: { rate_limited: 500 - slow.length },
    });
    expect(of('route:orders', '/orders')).toMatchObject({ received: 200, forwarded: 200, dropped: {} });
    expect(of('recorder', '/count/all')?.received).toBe(500);
    expect(isBalanced(ledger.filter(({ hop }) => hop !== 'recorder'))).toBe(true);

    const cli = auraison(['routes', '--data-dir', daemon.dataDir]);
    expect(cli.status).toBe(0);
    expect(cli.stdout).toMatch(
      /^third +(up|silent|rebuilt|idle) +ros:\/count\/all -> zenoh:third\/\{topic\} +167 /m,
    );
    const scraped = await (await daemon.api.stream('/metrics')).text();
    expect(scraped).toContain('auraison_samples_forwarded_total{topic="/count/all",hop="route:third"} 167');

    // The log has the same, and SQL what the log has.
    const sums = async () => {
      const events = await allEvents(daemon.api, '&kind=losses.recorded');
      const lines = events.flatMap((event) =>
        event.kind === 'losses.recorded' && event.payload.hop === 'route:third' ? event.payload.topics : [],
      );
      return lines.reduce((sum, line) => sum + line.received, 0);
    };
    await until(async () => (await sums()) === 500, 'the log tells the ledger', 30_000);
    const states = (await allEvents(daemon.api, '&kind=route.state')).flatMap((event) =>
      event.kind === 'route.state' && event.payload.state === 'diverged' ? [event.payload] : [],
    );
    expect(states).toEqual([]);
    await until(
      async () => {
        const { rows } = await daemon.api.post<{ rows: unknown[][] }>('/v1/query', {
          sql: "SELECT sum(received)::INT, sum(forwarded)::INT, sum(dropped)::INT FROM losses WHERE hop = 'route:third'",
        });
        return JSON.stringify(rows)
          .replaceAll(/[^\d,]/g, '')
          .includes('500,167,333');
      },
      'SQL tells the ledger',
      60_000,
    );
  });
});
