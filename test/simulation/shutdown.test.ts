import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type AgentEvent,
  CELL_NAMES,
  LIMITS,
  type RunDetails,
  type Submitted,
} from '../../contract/index.ts';
import {
  auraison,
  finishedRun,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { descendants, isAlive } from '../support/processes.ts';
import { bagsOf, lastTrueTwist } from '../support/recordings.ts';

/** How a daemon ends: in order, in a hurry, with a part that hangs, and by the death of its supervisor. */
let directory: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
beforeEach(() => {
  directory = freshDir('shutdown');
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  directory.remove();
});

/** What a busy machine may add to the limit the daemon keeps by itself, milliseconds. */
const BUSY_MS = 4_000;

/** A daemon whose robot is on its way. */
async function driving(
  env: Readonly<Record<string, string>> = {},
): Promise<{ it: TestDaemon; runId: string }> {
  const it = await testDaemon(directory.path, { AURAISON_SIM_SPEED: '4', ...env });
  daemon = it;
  const { run } = await it.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  await until(async () => {
    const { robot } = await it.status();
    return robot.available && (robot.distance ?? 0) > 0.5;
  }, 'the robot is on its way');
  return { it, runId: run.run_id };
}

function lastEvents(): Partial<Record<string, AgentEvent>> {
  return Object.fromEntries(
    // Without a central the link is no process and has no log.
    CELL_NAMES.filter((cell) => cell !== 'link').map((cell) => {
      const reader = openEventReader(directory.path, cell);
      const last = reader.read(reader.lastSeq() - 1, 1)[0];
      reader.close();
      return [cell, last];
    }),
  );
}

function unsealed(): string[] {
  return bagsOf(directory.path).flatMap((bag) =>
    readdirSync(bag).filter((name) => !/\.(mcap|yaml)$/.test(name)),
  );
}

function logIsWhole(): void {
  const { stdout, status } = auraison(['log', 'verify', '--json', '--data-dir', directory.path]);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true });
  expect(status).toBe(0);
}

async function gone(pids: readonly number[]): Promise<void> {
  await until(() => pids.every((pid) => !isAlive(pid)), `the processes ${pids.join(', ')} end`, 20_000);
}

describe('SIGTERM during a run', () => {
  it('ends everything in order: robot stopped, segments sealed, logs whole, nobody left, exit code 0', async () => {
    const { it } = await driving();
    const children = descendants(it.child.pid);
    const family = children.map(({ pid }) => pid);
    // The engine of the lake may be beside them: it comes when it is used and goes when it is not.
    for (const part of ['sim/host', 'auraison-execution', 'auraison-memory', 'auraison-runtime'])
      expect(
        children.filter(({ command }) => command.includes(part)),
        part,
      ).toHaveLength(1);
    const begin = performance.now();
    expect(await it.stop()).toBe(0);
    const tookMs = performance.now() - begin;
    console.log(`stopped in ${tookMs.toFixed(0)} ms, ${family.length} processes`);
    expect(tookMs).toBeLessThan(LIMITS.SHUTDOWN_MS + BUSY_MS);
    expect(family.filter(isAlive)).toEqual([]);
    expect(unsealed()).toEqual([]);
    for (const [cell, event] of Object.entries(lastEvents()))
      expect(event, cell).toMatchObject({ kind: 'cell.stopped', payload: { reason: 'asked to' } });
    logIsWhole();
    const twist = (await lastTrueTwist(bagsOf(directory.path)[0]!))!;
    expect(twist.linear).toBeLessThan(0.03);
    expect(twist.angular).toBeLessThan(0.1);
  });

  it('keeps to its time although a cell hangs; the others are flushed', async () => {
    const { it } = await driving();
    process.kill(await it.pidOf('memory'), 'SIGSTOP');
    const family = descendants(it.child.pid).map(({ pid }) => pid);
    const begin = performance.now();
    expect(await it.stop()).toBe(0);
    const tookMs = performance.now() - begin;
    console.log(`stopped in ${tookMs.toFixed(0)} ms with a cell that hangs`);
    expect(tookMs).toBeLessThan(LIMITS.SHUTDOWN_MS + BUSY_MS);
    await gone(family);
    expect(unsealed()).toEqual([]);
    const last = lastEvents();
    for (const cell of ['execution', 'runtime']) expect(last[cell]).toMatchObject({ kind: 'cell.stopped' });
    logIsWhole();
  });

  it('a second one means now', async () => {
    const { it } = await driving();
    const family = descendants(it.child.pid).map(({ pid }) => pid);
    process.kill(await it.pidOf('memory'), 'SIGSTOP');
    process.kill(it.child.pid, 'SIGTERM');
    // Long enough for a cell that hangs to be told from one that is busy.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const begin = performance.now();
    expect(await it.stop()).toBe(130);
    console.log(`a second SIGTERM: gone after ${(performance.now() - begin).toFixed(0)} ms`);
    await gone(family);
    logIsWhole();
  });
});

describe('the death of the supervisor', () => {
  it('leaves no orphan, and a new daemon on the same data goes on with the run', {
    timeout: 300_000,
  }, async () => {
    // A fixed port: whoever comes next needs the very one that the killed daemon had.
    const port = String(await freePort());
    const { it, runId } = await driving({ AURAISON_API_PORT: port });
    const family = descendants(it.child.pid).map(({ pid }) => pid);
    const begin = performance.now();
    process.kill(it.child.pid, 'SIGKILL');
    // Nobody waits for the orphans to end, as systemd does not.
    const next = testDaemon(directory.path, { AURAISON_API_PORT: port });
    await gone(family);
    console.log(
      `${family.length} processes ended ${(performance.now() - begin).toFixed(0)} ms after their supervisor`,
    );
    daemon = await next;
    await until(
      async () => (await daemon!.status()).cells.every(({ state }) => state === 'up'),
      'all cells are up',
      90_000,
    );
    console.log(`the next daemon was up after ${(performance.now() - begin).toFixed(0)} ms`);
    const { run, reason } = await finishedRun(daemon.api, runId, 200_000);
    expect(`${run.status}: ${reason}`).toBe('succeeded: the exit is reached');
    expect(run.attempt).toBeGreaterThan(1);
    expect(await daemon.stop()).toBe(0);
    expect(unsealed()).toEqual([]);
    logIsWhole();
  });

  it('is not taken for the silence of the cells when it only slept', async () => {
    const { it, runId } = await driving();
    const before = (await it.status()).cells;
    process.kill(it.child.pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 2 * LIMITS.HEARTBEAT_SILENT_MS));
    process.kill(it.child.pid, 'SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const after = (await it.status()).cells;
    expect(after.map(({ name, pid, restarts }) => ({ name, pid, restarts }))).toEqual(
      before.map(({ name, pid, restarts }) => ({ name, pid, restarts })),
    );
    const details = await it.api.get<RunDetails>(`/v1/runs/${runId}`);
    expect(['running', 'succeeded']).toContain(details.run.status);
    expect(details.run.attempt).toBe(1);
  });
});

describe('systemd', () => {
  it('is told READY=1, STATUS, WATCHDOG=1 and STOPPING=1', async () => {
    const socket = join(directory.path, 'notify.sock');
    const { lines, listening, end } = listenNotify(socket);
    await listening;
    const it = await testDaemon(join(directory.path, 'data'), {
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: '2000000',
      AURAISON_ROBOT_SOURCE: 'none',
    });
    daemon = it;
    const said = (text: string) => lines.findIndex((line) => line.split('\n').includes(text));
    await until(() => said('READY=1') >= 0, 'READY=1');
    await until(() => lines.filter((line) => line.includes('WATCHDOG=1')).length >= 2, 'two WATCHDOG=1');
    await until(
      () => lines.some((line) => line.includes('STATUS=execution up, memory up, runtime up, link up')),
      'STATUS',
    );
    expect(it.child.pid).toBe(Number(/MAINPID=(\d+)/.exec(lines[said('READY=1')]!)?.[1]));
    expect(await it.stop()).toBe(0);
    await until(() => said('STOPPING=1') >= 0, 'STOPPING=1');
    expect(said('STOPPING=1')).toBeGreaterThan(said('READY=1'));
    end();
  });
});

function listenNotify(socket: string): { lines: string[]; listening: Promise<void>; end(): void } {
  const child: ChildProcess = spawn('python3', [join(ROOT, 'test/peers/notify_listen.py'), socket], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const listening = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const text = JSON.parse(line) as string;
      if (text === 'listening') resolve();
      else lines.push(text);
    });
  });
  return { lines, listening, end: () => child.stdin!.end() };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
