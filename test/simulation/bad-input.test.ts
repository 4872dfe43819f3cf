import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorBody, Submitted } from '../../contract/index.ts';
import {
  allEvents,
  auraison,
  auraisonAsync,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { descendants } from '../support/processes.ts';
import { bagsOf } from '../support/recordings.ts';

/** Everything a careless or hostile world hands over: refused with words that help, and nothing lost by it. */
const directory = freshDir('bad-input');
const port = 20_000 + (process.pid % 20_000);
const environment = { AURAISON_API_PORT: String(port), AURAISON_ZENOH_ENABLED: 'false' };
const dataDir = join(directory.path, 'data');
let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await testDaemon(dataDir, { AURAISON_API_PORT: String(port), AURAISON_SIM_SPEED: '4' });
  await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
});
afterAll(async () => {
  await daemon?.stop();
  directory.remove();
});

function file(name: string, text: string): string {
  const path = join(directory.path, name);
  writeFileSync(path, text);
  return path;
}

/** `auraison up`, which has to refuse; its directory shows whether any cell was started. */
function up(env: Readonly<Record<string, string>>, ...args: string[]) {
  return auraison(['up', ...args], { AURAISON_ROBOT_SOURCE: 'none', ...env }, 30_000);
}

describe('a configuration', () => {
  it('that is not TOML: exit code 78, file and line', () => {
    const path = file('malformed.toml', '[api]\nport = 7601\nname = "open\n');
    const { status, stderr } = up({}, '--config', path);
    expect(status).toBe(78);
    expect(stderr).toContain(`${path}:3: `);
  });

  it('with wrong keys and types: every fault with file, line, key, value and expectation', () => {
    const path = file('wrong.toml', '[sim]\nseed = -1\nspede = "max"\n\n[recorder]\nsegment_size = "ten"\n');
    const { status, stderr } = up({}, '--config', path);
    expect(status).toBe(78);
    expect(stderr).toContain(`${path}:2: sim.seed = -1: expected `);
    expect(stderr).toContain(`${path}:3: sim.spede`);
    expect(stderr).toContain('did you mean speed?');
    expect(stderr).toContain(`${path}:6: recorder.segment_size = "ten": expected `);
  });

  it('with a variable of no key', () => {
    const { status, stderr } = up({ AURAISON_SIM_SPEDE: 'max' });
    expect(status).toBe(78);
    expect(stderr).toContain('AURAISON_SIM_SPEDE');
  });
});

describe('a host', () => {
  it('whose port is taken: exit code 1 and what to do, before any cell is started', () => {
    const data = join(directory.path, 'other');
    const { status, stderr } = up(environment, '--data-dir', data);
    expect(status).toBe(1);
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is taken`);
    expect(stderr).toContain('set api.port');
    expect(readdirSync(data).filter((name) => !name.startsWith('daemon.') && name !== 'run')).toEqual([]);
  });

  it('where a daemon uses the data directory already: exit code 1, names its process; the other goes on', async () => {
    const { status, stderr } = up(environment, '--data-dir', dataDir);
    expect(status).toBe(1);
    expect(stderr).toContain(`another daemon (process ${daemon.child.pid}) uses ${dataDir}`);
    // On a busy host a cell may still be starting for the first time.
    const cells = await until(async () => {
      const all = (await daemon.status()).cells;
      return all.every(({ state }) => state === 'up') && all;
    }, 'all cells are up');
    expect(cells.filter(({ restarts }) => restarts > 0)).toEqual([]);
  });

  it('whose data directory is a file, or below one', () => {
    const path = file('not-a-directory', '');
    for (const data of [path, join(path, 'below')]) {
      const { status, stderr } = up({}, '--data-dir', data);
      expect(status).toBe(1);
      expect(stderr).toContain(`the data directory ${data} is a file, or one of its parents is`);
      expect(stderr).toContain('--data-dir');
    }
  });

  it('whose data directory cannot be written', () => {
    // Nobody may make files there, not even the administrator.
    const { status, stderr } = up({}, '--data-dir', '/proc/sys/auraison');
    expect(status).toBe(1);
    expect(stderr).toContain('the data directory /proc/sys/auraison cannot be used: ');
    expect(stderr).toContain('--data-dir');
  });
});

describe('an intent', () => {
  // This process stood still while it waited for others: connections that ended meanwhile are seen first.
  beforeAll(() => new Promise<void>((resolve) => setTimeout(resolve, 100)));
  const token = () => readFileSync(join(dataDir, 'token'), 'utf8').trim();
  const send = async (body: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/intents`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token()}`,
        'content-type': 'application/json',
        connection: 'close',
      },
      body,
    });
    return { status: response.status, error: (await response.json()) as ErrorBody };
  };

  it.each([
    ['an unknown field', '{"type":"maze/find_exit","speeed":1}', '/speeed'],
    ['an unknown parameter', '{"type":"maze/find_exit","params":{"fast":true}}', 'fast'],
    ['NaN', '{"type":"maze/find_exit","params":{"max_duration_s":NaN}}', 'JSON'],
    [
      'a number beyond all bounds',
      '{"type":"maze/find_exit","params":{"max_duration_s":1e999}}',
      'max_duration_s',
    ],
    ['a wrong type', '{"type":"maze/find_exit","params":{"max_bumps":"many"}}', 'max_bumps'],
    ['a priority that is none', '{"type":"maze/find_exit","priority":1e9}', 'priority'],
    ['nobody to serve it', '{"type":"make/coffee"}', 'make/coffee'],
    ['no type', '{}', 'type'],
    ['a list', '[]', 'object'],
    ['half a body', '{"type":', 'JSON'],
  ])('with %s is refused and says where', async (_, body, words) => {
    const { status, error } = await send(body);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(`${error.message} ${error.subject}`).toContain(words);
    expect(error.retryable).toBe(false);
  });

  it('of 100 MB is refused before it is read, while other requests go on', async () => {
    const before = (await allEvents(daemon.api, '')).length;
    const flood = floodOf(100 * 1024 * 1024);
    let answered = 0;
    let done = false;
    const others = (async () => {
      while (!done) {
        await daemon.api.get('/v1/runs');
        answered++;
      }
    })();
    const { status, sent } = await flood.finally(() => {
      done = true;
    });
    await others;
    console.log(
      `refused with ${status} after ${sent} of 104857600 bytes; ${answered} other requests meanwhile`,
    );
    expect(status).toBe(413);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    expect(answered).toBeGreaterThan(0);
    expect((await allEvents(daemon.api, '')).length).toBeGreaterThanOrEqual(before);
    expect((await daemon.status()).cells.every(({ restarts }) => restarts === 0)).toBe(true);
  });

  /** Streams until somebody answers or hangs up. */
  function floodOf(bytes: number): Promise<{ status: number; sent: number }> {
    return new Promise((resolve, reject) => {
      let sent = 0;
      let status = 0;
      const block = Buffer.alloc(65_536, 'x');
      const post = request(
        {
          host: '127.0.0.1',
          port,
          path: '/v1/intents',
          method: 'POST',
          headers: {
            authorization: `Bearer ${token()}`,
            'content-type': 'application/json',
            'transfer-encoding': 'chunked',
          },
        },
        (response) => {
          status = response.statusCode!;
          response.resume();
        },
      );
      post.on('error', () => {});
      post.on('close', () => (status === 0 ? reject(new Error('no answer')) : resolve({ status, sent })));
      const pump = () => {
        while (sent < bytes && status === 0 && !post.destroyed) {
          sent += block.length;
          if (!post.write(block)) return void post.once('drain', () => setImmediate(pump));
        }
        post.end();
      };
      pump();
    });
  }
});

describe('a recording', () => {
  let whole: string;
  beforeAll(async () => {
    await until(async () => {
      const { recorder } = await daemon.status();
      return recorder.available && recorder.received > 500;
    }, 'something is recorded');
    await daemon.api.post('/v1/recorder/seal');
    const bag = bagsOf(dataDir)[0]!;
    whole = join(bag, readdirSync(bag).find((name) => name.endsWith('.mcap'))!);
  });

  it('that was cut off: what is whole is told and played, the rest is named', async () => {
    const cut = join(directory.path, 'cut.mcap');
    copyFileSync(whole, cut);
    truncateSync(cut, Math.floor(readFileSync(whole).length * 0.6));
    const full = JSON.parse(auraison(['bag', 'info', whole, '--json']).stdout) as { messages: number };
    const info = auraison(['bag', 'info', cut, '--json']);
    const told = JSON.parse(info.stdout) as { messages: number; files: { fault?: { message: string } }[] };
    expect(told.messages).toBeGreaterThan(0);
    expect(told.messages).toBeLessThan(full.messages);
    expect(info.status).toBe(1);
    expect(told.files[0]!.fault?.message).toMatch(/ends|cut|truncated|incomplete/);
    const played = await auraisonAsync([
      'bag',
      'play',
      cut,
      '--rate',
      'max',
      '--json',
      '--data-dir',
      join(directory.path, 'played'),
    ]);
    const outcome = JSON.parse(played.stdout) as { state: string; published: number; reason: string };
    expect(outcome.published).toBe(told.messages);
    expect(outcome.state).toBe('failed');
    expect(played.stderr).toContain(`${cut}: at byte`);
    expect(played.status).toBe(1);
  });

  it.each([
    ['of noise', () => file('noise.mcap', 'This is no recording at all.')],
    ['of nothing', () => file('empty.mcap', '')],
    ['that is not there', () => join(directory.path, 'nowhere.mcap')],
  ])('%s is refused and named', async (_, make) => {
    const path = make();
    for (const command of ['info', 'play']) {
      const { status, stderr, stdout } = await auraisonAsync(
        ['bag', command, path, '--data-dir', dataDir],
        environment,
      );
      expect(status).toBe(1);
      expect(stderr).toContain(path);
      if (command === 'play') expect(stdout).toBe('');
    }
  });
});

describe('a robot', () => {
  const withRobot = async (
    name: string,
    env: Readonly<Record<string, string>>,
    look: (it: TestDaemon) => Promise<void>,
  ) => {
    const one = await testDaemon(join(directory.path, name), env);
    try {
      await look(one);
      await until(async () => (await one.status()).cells.every(({ state }) => state === 'up'), 'all are up');
      expect((await one.status()).cells.map(({ state, restarts }) => [state, restarts])).toEqual(
        Array.from({ length: 4 }, () => ['up', 0]),
      );
    } finally {
      expect(await one.stop()).toBe(0);
    }
  };

  it.each([
    ['missing', (model: string) => model, /no such file|ENOENT/i],
    [
      'changed',
      (model: string) => {
        const own = new URL('../../apps/turtlebot-maze/policy/drive.onnx', import.meta.url).pathname;
        writeFileSync(model, Buffer.concat([readFileSync(own), Buffer.from('x')]));
        copyFileSync(`${own}.json`, `${model}.json`);
        return model;
      },
      /SHA-256/,
    ],
  ])('whose network is %s drives by the analytic follower and says so', async (what, make, words) => {
    const model = make(join(directory.path, `${what}.onnx`));
    await withRobot(
      `model-${what}`,
      { AURAISON_CONTROL_MODEL: model, AURAISON_SIM_SPEED: '4' },
      async (it) => {
        const status = await until(async () => {
          const now = await it.status();
          return now.control.available && now.control.policy !== '' ? now : undefined;
        }, 'a policy drives');
        expect(status.control).toMatchObject({ policy: 'pursuit' });
        expect(status.robot).toMatchObject({ degraded: [expect.stringMatching(words)] });
        const degraded = (await allEvents(it.api)).filter(({ kind }) => kind === 'cell.degraded');
        expect(degraded).toHaveLength(1);
        expect(degraded[0]!.payload).toMatchObject({ error: { code: 'model.unavailable' } });
        await it.api.post('/v1/intents', { type: 'maze/find_exit' });
        await until(async () => {
          const { robot } = await it.status();
          return robot.available && (robot.distance ?? 0) > 0.3;
        }, 'the robot drives');
      },
    );
  });

  it('without ROS and without a Zenoh driver: the daemon starts and says what is missing', async () => {
    const env = {
      AURAISON_ROBOT_SOURCE: 'ros',
      AMENT_PREFIX_PATH: '',
      AURAISON_ZENOH_ENABLED: 'true',
      AURAISON_ZENOH_NATIVE: join(directory.path, 'no-driver.node'),
    };
    await withRobot('bare', env, async (it) => {
      const status = await until(async () => {
        const now = await it.status();
        return now.robot.available && now.robot.degraded.length >= 2 ? now : undefined;
      }, 'what is missing is told');
      const told = status.robot.available ? status.robot.degraded.join('\n') : '';
      expect(told).toContain('ros: no ROS 2 installation is sourced');
      expect(told).toContain('zenoh: no native Zenoh driver');
      expect(status.zenoh).toMatchObject({ driver: 'none', connected: false });
      const hints = (await allEvents(it.api)).flatMap((event) =>
        event.kind === 'cell.degraded' ? [event.payload.error.hint] : [],
      );
      expect(hints.join('\n')).toContain('source the setup.bash');
      expect(hints.join('\n')).toContain('AURAISON_ZENOH_NATIVE');
    });
  });
});

describe('cells = "inline"', () => {
  it('does the same job in one process, and ends cleanly', async () => {
    const data = join(directory.path, 'inline');
    const { status, stdout, stderr } = await auraisonAsync(
      ['demo', '--once', '--json', '--seed', '5', '--width', '5', '--height', '5', '--data-dir', data],
      { AURAISON_DAEMON_CELLS: 'inline', AURAISON_API_PORT: '0' },
    );
    expect(stderr).not.toContain('exit code');
    const summary = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
    expect(summary).toMatchObject({ reached: true, dropped: 0 });
    expect(status).toBe(0);
    expect(auraison(['log', 'verify', '--data-dir', data]).status).toBe(0);
    expect(readdirSync(bagsOf(data)[0]!).filter((name) => name.endsWith('.active'))).toEqual([]);
  });

  it('is one process and the robot, and nobody is left behind', async () => {
    const one = await testDaemon(join(directory.path, 'inline-up'), { AURAISON_DAEMON_CELLS: 'inline' });
    const family = descendants(one.child.pid);
    expect(family.map(({ command }) => command.includes('sim/host.ts'))).toEqual([true]);
    // Without a central the link is no process.
    const ofCells = (await one.status()).cells.filter(({ name }) => name !== 'link');
    expect(ofCells.map(({ pid }) => pid)).toEqual(Array(3).fill(one.child.pid));
    expect(await one.stop()).toBe(0);
    expect(descendants(one.child.pid)).toEqual([]);
    expect(existsSync(join(one.dataDir, 'run', 'api.json'))).toBe(false);
  });
});
