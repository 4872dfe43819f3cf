import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { chooseDriver, openKeySpace } from '../../adapters/zenoh/open-key-space.ts';
import { RemoteKeySpace } from '../../adapters/zenoh/remote-key-space.ts';
import { EdgeError, type KeySpace } from '../../contract/index.ts';
import { keySpaceConformance } from '../conformance/key-space.ts';
import { keySpaceSettle } from '../support/key-space-settle.ts';
import { bytes, text } from '../support/key-values.ts';
import { descendants, isAlive } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohProgram } from '../support/zenoh-program.ts';

/** The driver over zenoh-ts, with a real zenoh-bridge-remote-api. */
const clock = new SystemClock();
const WAIT_MS = 60_000;
let bridge: ZenohProgram;
let port: number;

beforeAll(async () => {
  port = await freePort();
  bridge = await ZenohProgram.bridge(port);
});
afterAll(() => bridge.kill());

const url = () => `ws://127.0.0.1:${port}`;

keySpaceConformance('zenoh-ts over a remote-api bridge', {
  async connect() {
    const faults: EdgeError[] = [];
    const deps = { clock, onFault: (fault: EdgeError) => faults.push(fault) };
    const [here, there] = await Promise.all([
      RemoteKeySpace.open({ url: url() }, deps),
      RemoteKeySpace.open({ url: url() }, deps),
    ]);
    return { here, there, faults, settle: await keySpaceSettle(here, there) };
  },
  can: { cache: false },
});

describe('zenoh-ts, when the bridge is not as it should be', () => {
  const open: KeySpace[] = [];
  const faults: EdgeError[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((keySpace) => keySpace.close()));
    faults.splice(0);
    bridge.resume();
  });

  async function session(): Promise<RemoteKeySpace> {
    const deps = { clock, onFault: (fault: EdgeError) => faults.push(fault) };
    const made = await RemoteKeySpace.open({ url: url() }, deps);
    open.push(made);
    return made;
  }

  it('is absent: says so, with what to do', async () => {
    const nobody = `ws://127.0.0.1:${await freePort()}`;
    const error = await RemoteKeySpace.open({ url: nobody }, { clock }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'zenoh.failed', subject: nobody, retryable: true });
    expect((error as EdgeError).hint).toMatch(/zenoh-bridge-remote-api/);
  });

  it('is killed 5 times: all that was declared is there again, losses are counted, ids are new', async () => {
    const [here, there] = [await session(), await session()];
    const seen: string[] = [];
    const alive: string[] = [];
    await there.subscribe('news/*', (values) => seen.push(...values.map(text)));
    await there.queryable('ask/x', async () => ({ payload: bytes('answer'), encoding: 'text/plain' }));
    await there.liveliness('live/there');
    await here.watchLiveliness('live/*', (key, is) => alive.push(`${key} ${is}`));
    await until(() => alive.length === 1, 'the token', WAIT_MS);
    const id = here.id();
    for (let round = 1; round <= 5; round++) {
      await bridge.kill('SIGKILL');
      await until(() => !here.status().connected && !there.status().connected, 'both to see it', WAIT_MS);
      // Nothing pretends to work meanwhile, and what is declared now is declared later.
      expect(await codeOf(here.put('news/x', bytes('lost')))).toBe('zenoh.failed');
      expect(await codeOf(here.query('ask/x', { timeoutMs: 1_000 }))).toBe('zenoh.failed');
      await there.subscribe(`late/${round}`, (values) => seen.push(...values.map(text)));
      await bridge.start();
      await until(() => here.status().connected && there.status().connected, 'both again', WAIT_MS);
      for (const key of ['news/x', `late/${round}`]) {
        const word = `${key} ${round}`;
        await eventually(async () => {
          await here.put(key, bytes(word)).catch(() => {});
          return seen.includes(word);
        });
      }
      await eventually(async () => {
        const replies = await here.query('ask/x', { timeoutMs: 2_000 }).catch(() => []);
        return replies.some((reply) => reply.ok && text(reply.value) === 'answer');
      });
      await until(() => alive.at(-1) === 'live/there true', 'the token again', WAIT_MS);
    }
    expect(seen).not.toContain('lost');
    expect(here.status()).toMatchObject({ connected: true, reconnects: 5 });
    expect(here.status().lost).toBeGreaterThanOrEqual(5);
    expect(alive.filter((word) => word === 'live/there false').length).toBe(5);
    expect(here.id()).not.toBe(id);
    expect(faults.every((fault) => fault.code === 'zenoh.failed')).toBe(true);
  });

  it('is deaf with its sockets open: everything settles, and goes on when it hears again', async () => {
    const here = await session();
    await here.queryable('deaf/x', async () => ({ payload: bytes('x'), encoding: 'text/plain' }));
    bridge.stop();
    const start = performance.now();
    // A frame that fills the socket: the put cannot pretend to have been sent.
    const big = new Uint8Array(16 * 1024 * 1024);
    const outcomes = await Promise.allSettled([
      here.query('deaf/x', { timeoutMs: 500 }).then((replies) => {
        expect(replies).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
        expect(performance.now() - start).toBeLessThan(3_000);
      }),
      ...[1, 2, 3].map((i) => here.put(`deaf/big${i}`, big, { congestion: 'block' })),
      here.subscribe('deaf/late', () => {}),
      here.liveliness('deaf/token'),
    ]);
    expect(outcomes[0]).toMatchObject({ status: 'fulfilled' });
    await until(() => !here.status().connected, 'the driver to give it up', WAIT_MS);
    bridge.resume();
    await until(() => here.status().connected, 'the connection', WAIT_MS);
    await eventually(async () => {
      const replies = await here.query('deaf/x', { timeoutMs: 2_000 }).catch(() => []);
      return replies.some((reply) => reply.ok);
    });
  });

  it.each(['SIGKILL', 'SIGABRT', 'SIGSTOP'] as const)(
    'loses the process of zenoh-ts by %s: another serves',
    async (how) => {
      const here = await session();
      await here.queryable('lone/x', async () => ({ payload: bytes('x'), encoding: 'text/plain' }));
      const [library] = descendants(process.pid).filter(({ command }) => /remote-process-main/.test(command));
      process.kill(library!.pid, how);
      await until(() => !here.status().connected, 'the driver to see it', WAIT_MS);
      expect(faults.at(-1)).toMatchObject({ code: 'zenoh.failed' });
      await eventually(async () => {
        const replies = await here.query('lone/x', { timeoutMs: 2_000 }).catch(() => []);
        return replies.some((reply) => reply.ok);
      });
      expect(isAlive(library!.pid)).toBe(false);
    },
  );

  it('hears no signal that is meant for the daemon', async () => {
    const here = await session();
    const [library] = descendants(process.pid).filter(({ command }) => /remote-process-main/.test(command));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(library!.pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await here.put('last/words', bytes('stop'));
    expect([isAlive(library!.pid), here.status().connected]).toEqual([true, true]);
  });

  it('cannot keep a publisher history: says so, instead of forgetting', async () => {
    const here = await session();
    expect(await codeOf(here.put('a/b', bytes('x'), { cache: 5 }))).toBe('zenoh.failed');
    expect(await codeOf(here.subscribe('a/b', () => {}, { history: true }))).toBe('zenoh.failed');
  });
});

describe('which driver runs', () => {
  const auto = (remoteUrl: string, nativeOnly: string[] = []) =>
    chooseDriver({ driver: 'auto', remoteUrl, nativeOnly }, clock);
  const native = process.env['AURAISON_ZENOH_NATIVE'];
  afterEach(() => {
    if (native === undefined) delete process.env['AURAISON_ZENOH_NATIVE'];
    else process.env['AURAISON_ZENOH_NATIVE'] = native;
  });

  it('the native one where it is, whatever answers elsewhere', async () => {
    expect(await auto(url())).toMatchObject({ driver: 'native', fix: '' });
  });

  it('without it a bridge that answers; both reasons are told', async () => {
    process.env['AURAISON_ZENOH_NATIVE'] = '/nowhere/auraison-zenoh.node';
    const choice = await auto(url());
    expect(choice).toMatchObject({ driver: 'remote', fix: '' });
    expect(choice.why).toContain(url());
    expect(choice.why).toContain('AURAISON_ZENOH_NATIVE');
    const options = { driver: 'auto', remoteUrl: url(), nativeOnly: [], mode: 'peer' } as const;
    const { keySpace } = await openKeySpace(options, { clock });
    await keySpace.put('any/key', bytes('x'));
    await keySpace.close();
  });

  it('none: says what to do; a bridge may come later, a driver will not', async () => {
    process.env['AURAISON_ZENOH_NATIVE'] = '/nowhere/auraison-zenoh.node';
    const nobody = `ws://127.0.0.1:${await freePort()}`;
    expect(await auto(nobody)).toMatchObject({
      driver: 'none',
      fix: expect.stringMatching(/build.*bridge/),
    });
    const open = (driver: 'auto' | 'native') =>
      codeOf(openKeySpace({ driver, remoteUrl: nobody, nativeOnly: [], mode: 'peer' }, { clock }));
    expect([await open('auto'), await open('native')]).toEqual(['zenoh.failed', 'zenoh.unavailable']);
  });

  it('no bridge where policies are configured that it would not apply', async () => {
    const policies = ['zenoh.access'];
    expect(
      await chooseDriver({ driver: 'remote', remoteUrl: url(), nativeOnly: policies }, clock),
    ).toMatchObject({
      driver: 'none',
      why: expect.stringContaining('zenoh.access'),
    });
    process.env['AURAISON_ZENOH_NATIVE'] = '/nowhere/auraison-zenoh.node';
    expect((await auto(url(), policies)).driver).toBe('none');
  });
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EdgeError);
  return (error as EdgeError).code;
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
