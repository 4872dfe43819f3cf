import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { allEvents, freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

const run = promisify(execFile);
const FILES = ['auraison_client.py', 'find_exit.py'];
const START = 'import json, sys\nfrom auraison_client import *\n';
/** `code`: the code of an error, or the result. `patient`: as patient-api.ts, where the host of the tests was too late. */
const HELPERS = `
def code(step):
    try: return str(step())
    except AuraisonError as error: return error.code
def patient(step):
    for again in range(20):
        try: return step()
        except AuraisonError as error:
            if error.code not in ("command.expired", "deadline.exceeded") or isinstance(error, NotReached): raise
    return step()
WAIT = {"kind": "wait", "wait_ms": 600_000}
def wait(robot): return patient(lambda: robot.call("POST", "/v1/robot/maneuver", WAIT, 300))
`;

/** The client as a user has it: copied into a folder, and the python3 of the system. */
describe('the Python client', () => {
  const directory = freshDir('python-client');
  let daemon: TestDaemon;
  let url: string;
  let token: string;
  let finished: string;

  /** Only what is given names a daemon. */
  const envOf = (more: Readonly<Record<string, string>>) => {
    const named = ['AURAISON_URL', 'AURAISON_TOKEN', 'AURAISON_DAEMON_DATA_DIR', 'STATE_DIRECTORY'];
    const env = Object.entries(process.env).filter(([name]) => !named.includes(name));
    return { ...Object.fromEntries(env), PYTHONDONTWRITEBYTECODE: '1', ...more };
  };
  const options = (more: Readonly<Record<string, string>> = {}) => ({
    cwd: directory.path,
    env: envOf(more),
    timeout: 240_000,
  });
  const python = async (code: string, ...args: string[]) =>
    (await run('python3', ['-c', `${START}${HELPERS}${code}`, ...args], options())).stdout;
  const connected = async (code: string) =>
    JSON.parse(await python(`robot = connect(*sys.argv[1:])\n${code}`, url, token)) as unknown;
  type RobotNow = { readonly motion: string; readonly twist: { linear: number; angular: number } };
  const robotNow = async () => (await daemon.status()).robot as unknown as RobotNow;

  beforeAll(async () => {
    daemon = await testDaemon(join(directory.path, 'data'), {
      AURAISON_SIM_WIDTH: '2',
      AURAISON_SIM_HEIGHT: '2',
    });
    const found = endpointOf(daemon.settings, '/');
    url = found.url.origin;
    token = found.token!;
    for (const name of FILES) copyFileSync(join(ROOT, 'clients/python', name), join(directory.path, name));
  });
  afterAll(async () => {
    await daemon?.stop();
    directory.remove();
  });

  it('runs its example with the daemon of this host: a run is followed to its end', async () => {
    const env = { AURAISON_DAEMON_DATA_DIR: daemon.dataDir };
    const { stdout } = await run('python3', ['find_exit.py'], options(env));
    finished = /^run ([0-9a-f-]{36})$/m.exec(stdout)![1]!;
    expect(stdout).toContain('phase ');
    expect(stdout).toMatch(/^succeeded: /m);
  });

  it('continues the events of a run where a connection broke, each once', async () => {
    let connections = 0;
    const proxy = createTcp((socket) => {
      const first = connections++ === 0;
      const robot = connect(Number(new URL(url).port), '127.0.0.1');
      for (const one of [socket, robot]) one.on('error', () => {});
      socket.pipe(robot);
      let seen = '';
      robot.on('data', (data) => {
        if (!first) return socket.write(data);
        // Two whole messages, and the third is cut in the middle.
        const before = seen.length;
        seen += data.toString('latin1');
        const third = seen.split('\ndata: ', 3).join('\ndata: ').length;
        if (seen.split('\ndata: ').length < 4) return socket.write(data);
        robot.destroy();
        socket.end(data.subarray(0, third + 20 - before), () => socket.destroy());
      });
      robot.on('end', () => socket.end());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as { port: number };
    try {
      const code = `seen = [event.raw["event_id"] for event in connect(sys.argv[1], sys.argv[2]).run(sys.argv[3]).events()]\nprint(json.dumps(seen))`;
      const seen = JSON.parse(await python(code, `http://127.0.0.1:${port}`, token, finished)) as string[];
      const all = await allEvents(daemon.api, `&run=${finished}`);
      expect(seen).toEqual(all.map((event) => event.event_id));
      expect(seen.length).toBeGreaterThan(3);
      expect(connections).toBe(2);
    } finally {
      proxy.close();
    }
  });

  it('has a clear error for each wrong address, token and value, and sends no value that is not finite', async () => {
    const asked: string[] = [];
    // What is asked of it is heard, and never answered; a path of its own drips.
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (request.url === '/v1/drips') {
        response.writeHead(200);
        const drop = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(drop));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const deaf = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const free = createTcp();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const nothing = `http://127.0.0.1:${(free.address() as { port: number }).port}`;
    await new Promise((resolve) => free.close(resolve));
    try {
      const code = `
url, token, deaf, nothing = sys.argv[1:]
silent, nan = Robot(deaf), float("nan")
lease = silent.teleop()
lease.id = 1
print(json.dumps([
    code(lambda: connect("localhost:7601")),
    code(lambda: connect(url, "a\\r\\nb")),
    code(lambda: connect(data_dir="nowhere")),
    code(lambda: connect(nothing, token).status()),
    code(lambda: connect(url, "wrong").status()),
    code(lambda: connect(url).status()),
    code(lambda: connect(url, token).submit("no/such")),
    code(lambda: connect(url, token).run("1").wait(1)),
    code(lambda: silent.call("GET", "/v1/silent", timeout_s=0.2)),
    code(lambda: silent.call("GET", "/v1/drips", timeout_s=0.2)),
    code(lambda: silent.drive(nan)),
    code(lambda: silent.spin(float("inf"))),
    code(lambda: silent.navigate(1, "x")),
    code(lambda: lease.send(nan)),
    code(lambda: silent.submit("a/b", {"x": nan})),
    code(lambda: silent.status(timeout_s=nan)),
]))`;
      const codes = JSON.parse(await python(code, url, token, deaf, nothing)) as string[];
      expect(codes).toEqual([
        ...['schema.invalid', 'schema.invalid', 'cell.unavailable', 'cell.unavailable'],
        ...['api.unauthorised', 'api.unauthorised', 'intent.unknown_type', 'schema.invalid'],
        ...['deadline.exceeded', 'deadline.exceeded'],
        ...Array<string>(6).fill('schema.invalid'),
      ]);
      expect(asked).toEqual(['GET /v1/silent', 'GET /v1/drips']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('sends an order of motion once where the connection breaks, and a stop again', async () => {
    const asked: string[] = [];
    const server = createServer((request: IncomingMessage, response: ServerResponse) => {
      asked.push(request.url!);
      const stops = asked.filter((path) => path === '/v1/robot/stop');
      if (stops.length < 2) request.socket.destroy();
      else response.end('{"ok":true,"result":{"confirmed":false,"warnings":["slow"]}}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      const code = `
robot = Robot(sys.argv[1])
orders = [lambda: robot.drive(1), lambda: robot.submit("a/b"), robot.teleop().__enter__, robot.stop]
print(json.dumps([code(order) for order in orders]))`;
      const said = JSON.parse(await python(code, `http://127.0.0.1:${port}`)) as string[];
      expect(said.slice(0, 3)).toEqual(Array(3).fill('cell.unavailable'));
      expect(said[3]).toBe("Stopped(confirmed=False, warnings=('slow',))");
      expect(asked).toEqual([
        ...['/v1/robot/maneuver', '/v1/intents', '/v1/lease', '/v1/robot/stop', '/v1/robot/stop'],
      ]);
    } finally {
      server.close();
    }
  });

  it('leaves the robot standing and the lease free where the body of a lease raises', async () => {
    const said = await connected(`
try:
    with robot.teleop(30) as lease:
        lease.steer(0.0, 0.5, 0.5)
        patient(lambda: lease.send(0.0, 0.5))
        held = robot.state().lease_holder
        raise KeyError("of the body")
except KeyError as error:
    print(json.dumps([held, str(error), robot.state().lease_holder, code(lambda: lease.send(0.1))]))`);
    expect(said).toEqual(['operator', "'of the body'", '', 'lease.lost']);
    await until(async () => {
      const { twist } = await robotNow();
      return Math.abs(twist.linear) < 0.01 && Math.abs(twist.angular) < 0.01;
    }, 'the robot stands');
  });

  it('ends a motion by a stop of another thread, and by Ctrl-C', async () => {
    const moving = `
import threading, time
answer = []
thread = threading.Thread(target=lambda: answer.append(wait(robot)))
thread.start()
while robot.state().motion != "moving": time.sleep(0.02)
stopped = robot.stop("enough")
thread.join()
print(json.dumps([answer[0]["outcome"], stopped.confirmed]))`;
    expect(await connected(moving)).toEqual(['stopped', true]);
    const code = `${START}${HELPERS}wait(connect(*sys.argv[1:]))`;
    const child = spawn('python3', ['-c', code, url, token], options());
    const over = new Promise<void>((resolve) => child.once('close', () => resolve()));
    await until(async () => (await robotNow()).motion === 'moving', 'the motion has started');
    child.kill('SIGINT');
    await over;
    await until(async () => (await robotNow()).motion !== 'moving', 'the motion is over');
  });

  it('drives, turns, and says where the robot stands if it did not get there', async () => {
    const said = await connected(`
turned = patient(lambda: robot.spin(0.3))
try: patient(lambda: robot.drive(-5))
except NotReached as error: far = [error.code, error.motion.outcome, error.motion.pose is not None]
robot.estop("a test")
engaged = code(lambda: robot.drive(0.1))
robot.release_estop(robot.estop_state()["press"])
print(json.dumps([turned.outcome, far, engaged, robot.state().estop, robot.ask("half a metre forward")["kind"]]))`);
    expect(said).toEqual(['reached', ['robot.stuck', 'stuck', true], 'estop.engaged', false, 'intent']);
  });

  it('downloads a recording, queries the lake and reads a topic', async () => {
    const said = (await connected(`
import time
robot.seal_recording()
end, found = time.monotonic() + 60, []
while not found and time.monotonic() < end:
    try: found = robot.recordings()
    except AuraisonError as error:
        if not error.retryable: raise
    time.sleep(0.1)
bags = robot.query("SELECT bag, sum(messages) AS n FROM segments GROUP BY bag")
steps = []
path = robot.download(found[0], ".", lambda done, total: steps.append([done, total]))
rows = robot.query("SELECT 1 AS a, 2 AS a, NULL AS b UNION ALL SELECT 3, 4, NULL ORDER BY 1", limit=1)
# The simulation stands still in its time while nothing moves.
first = list(robot.samples("/odom", 1))[0]
patient(lambda: robot.spin(0.2))
second = robot.sample("/odom", first.received_ns)
print(json.dumps({"path": path, "sha256": found[0].sha256, "last": steps[-1], "bytes": found[0].bytes, "rows": rows,
    "truncated": rows.truncated, "bags": [bags[0]["bag"] == found[0].bag, int(bags[0]["n"]) > 0], "odom": [first.type, first.received_ns < second.received_ns],
    "none": robot.sample("/odom", 2**62, 0.05)}))`)) as Record<string, unknown>;
    const file = readFileSync(join(directory.path, said['path'] as string));
    expect(createHash('sha256').update(file).digest('hex')).toBe(said['sha256']);
    expect(said).toMatchObject({
      last: [said['bytes'], said['bytes']],
      rows: [{ a: 1, a_2: 2, b: null }],
      truncated: true,
      bags: [true, true],
      odom: ['nav_msgs/msg/Odometry', true],
      none: null,
    });
  });
});
