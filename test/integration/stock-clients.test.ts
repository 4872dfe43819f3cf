import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { listening } from '../support/attached-drivers.ts';
import { freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { dashboardQueries } from '../support/dashboard.ts';
import { freePort } from '../support/zenoh.ts';

type Json = Record<string, unknown>;
const run = promisify(execFile);
const peer = (name: string) => join(ROOT, 'test/peers', name);
const installed = (script: string) => execFileSync('bash', [peer(script)], { encoding: 'utf8' }).trim();
const PROMETHEUS = installed('prometheus.sh');

/** Programs that other people wrote for other robots, at a daemon with the embedded simulation. */
describe('programs that people attach to robots', () => {
  const directory = freshDir('stock-clients');
  const inside = (name: string) => join(directory.path, name);
  let python: string;
  let daemon: TestDaemon;
  let port: number;
  let token: string;
  let metrics: string;
  const where = () => ['127.0.0.1', String(port)];
  const program = async (name: string, ...args: string[]) => {
    const { stdout } = await run(python, [peer(name), ...args], {
      ...{ cwd: directory.path, maxBuffer: 1 << 24, timeout: 180_000 },
    });
    return JSON.parse(stdout) as Record<string, Json>;
  };
  const position = (odometry: Json | undefined) =>
    (odometry as { msg: { pose: { pose: { position: { x: number } } } } }).msg.pose.pose.position.x;

  beforeAll(async () => {
    python = installed('stock.sh');
    port = await freePort();
    daemon = await testDaemon(inside('data'), {
      AURAISON_SIM_PACE: 'realtime',
      AURAISON_SIM_SPEED: '1',
      AURAISON_ROSBRIDGE_PORT: String(port),
      AURAISON_ROSBRIDGE_OPEN: 'true',
    });
    const { token: own, url } = endpointOf(daemon.settings, '/metrics');
    token = own!;
    metrics = url.href;
    await listening(port);
  });
  afterAll(async () => {
    await daemon?.stop();
    directory.remove();
  });

  it('roslibpy looks without a token, and drives with one', async () => {
    const looks = await program('stock_roslibpy.py', ...where());
    expect(looks).toMatchObject({
      type: 'nav_msgs/msg/Odometry',
      odom: 'base_link',
      throttled: 'odom',
      twist: { 'geometry_msgs/Twist': ['linear', 'angular'], 'geometry_msgs/Vector3': ['x', 'y', 'z'] },
      request: ['data'],
      lease: [false, expect.stringContaining('connect with a token')],
      moved: false,
    });
    expect(looks['topics']).toEqual(expect.arrayContaining(['/odom', '/scan', '/cmd_vel']));
    expect(await program('stock_roslibpy.py', ...where(), token)).toMatchObject({
      lease: [true, { success: true, message: expect.stringContaining('lease') }],
      moved: true,
    });
  });

  it('ros-mcp sees the robot, and drives it while somebody holds the lease with the same token', async () => {
    const without = await program('stock_ros_mcp.py', 'look', ...where(), token);
    expect(without).toMatchObject({
      warning: null,
      type: { type: 'nav_msgs/msg/Odometry' },
      details: { structure: { 'geometry_msgs/Vector3': { fields: { x: 'float64' } } } },
      services: { services: expect.arrayContaining(['/auraison/take_lease']) },
      service: { response: { fields: { success: 'bool', message: 'string' } } },
      // Each tool of ros-mcp is a connection of its own, and a lease ends with its connection.
      lease: { success: true },
      drive: { errors: expect.arrayContaining([expect.stringContaining('lease.lost')]) },
    });
    expect((without['topics'] as { topics: string[] }).topics).toContain('/odom');
    await until(async () => {
      const { state } = await daemon.api.get<{ state: string }>('/v1/lease');
      return state === 'free';
    }, 'the lease is returned');
    await daemon.api.post('/v1/lease', { ttl_ms: 60_000 });
    const driven = await program('stock_ros_mcp.py', 'drive', ...where(), token);
    expect(driven['drive']).toMatchObject({ success: true, published_count: 5 });
    expect(Math.abs(position(driven['after']) - position(driven['odom']))).toBeGreaterThan(0.01);
  });

  it("Prometheus' own client reads the metrics", async () => {
    const text = await (await fetch(metrics, { headers: { authorization: `Bearer ${token}` } })).text();
    writeFileSync(inside('metrics.txt'), text);
    const { stdout } = await run(python, [peer('stock_metrics.py'), inside('metrics.txt')]);
    const seen = JSON.parse(stdout) as Record<string, { type: string; samples: number; value: number }>;
    expect(seen['auraison_cell_up']).toMatchObject({ type: 'gauge', samples: 4, value: 4 });
    expect(seen['auraison_samples_received']?.type).toBe('counter');
    expect(seen['auraison_samples_received']?.value).toBeGreaterThan(0);
    expect(seen['auraison_http_request_duration_seconds']?.type).toBe('histogram');
  });

  it.skipIf(PROMETHEUS === '')('Prometheus answers every query of the dashboard', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    mkdirSync(inside('prometheus'));
    writeFileSync(inside('prometheus.token'), token, { mode: 0o600 });
    writeFileSync(
      inside('prometheus.yml'),
      [
        'global: { scrape_interval: 1s }',
        'scrape_configs:',
        '  - job_name: robots',
        `    authorization: { credentials_file: ${inside('prometheus.token')} }`,
        `    static_configs: [{ targets: ["${new URL(metrics).host}"] }]`,
      ].join('\n'),
    );
    // promtool finds what Prometheus would only complain of.
    await run(join(PROMETHEUS, 'promtool'), ['check', 'config', inside('prometheus.yml')]);
    const child = spawn(
      join(PROMETHEUS, 'prometheus'),
      [
        `--config.file=${inside('prometheus.yml')}`,
        `--storage.tsdb.path=${inside('prometheus')}`,
        `--web.listen-address=${address}`,
      ],
      { stdio: 'ignore' },
    );
    try {
      type Answer = { status: string; error?: string; data: { result: { metric: Json }[] } };
      const ask = async (query: string) =>
        (await (
          await fetch(`http://${address}/api/v1/query?${new URLSearchParams({ query })}`)
        ).json()) as Answer;
      // Rates need two scrapes.
      await until(
        async () => (await ask('rate(auraison_control_ticks_total[5s])')).data.result.length > 0,
        'two scrapes',
      );
      const text = await (await fetch(metrics, { headers: { authorization: `Bearer ${token}` } })).text();
      const hasSamples = (name: string) => new RegExp(`^${name}[{ ]`, 'm').test(text);
      let drawn = 0;
      for (const { panel, expr, metrics: names, legend } of dashboardQueries('30s')) {
        const answer = await ask(expr);
        expect(answer, `${panel}: ${expr}`).toMatchObject({ status: 'success' });
        // A robot without routes, models or controllers has no samples of these.
        if (!names.every(hasSamples)) continue;
        expect(answer.data.result.length, panel).toBeGreaterThan(0);
        for (const label of legend)
          expect(Object.keys(answer.data.result[0]!.metric), panel).toContain(label);
        drawn += 1;
      }
      expect(drawn).toBeGreaterThan(12);
    } finally {
      const gone = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await gone;
    }
  });
});
