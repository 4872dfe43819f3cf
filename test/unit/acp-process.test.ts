import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { acpRun, type HostedRun, startAgent } from '../../adapters/acp/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { ROOT } from '../support/daemon.ts';
import { isAlive } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** Agents as processes that break everything: what they started is gone, and the run has its cause. */
const clock = new SystemClock();
const stderr: string[] = [];
const pids: number[] = [];
/** How each ended; they run side by side, since each may take seconds until it is killed. */
const causes: Record<string, string> = {};

beforeAll(async () => {
  const modes = ['dead', 'garbage', 'flood', 'giant', 'silent', 'forks'];
  await Promise.all(
    modes.map(async (mode) => {
      causes[mode] = await work(mode, mode === 'silent' || mode === 'forks' ? 1_000 : 60_000).then(
        () => 'it succeeded',
        (error: Error) => error.message,
      );
    }),
  );
});

async function start(...command: [string, ...string[]]) {
  const env = { PATH: process.env['PATH'] ?? '' };
  const onStderr = (line: string) => stderr.push(line);
  const link = await startAgent({ clock, command, env, folder: ROOT, redact: (line) => line, onStderr });
  pids.push(link.pid);
  return link;
}

const run = (): HostedRun => ({
  ...{ id: 'r', attempt: 1, tools: [], instructions: '', resume: undefined, calls: [], callsLeftOut: 0 },
  ...{ intent: 'go', params: {}, text: 'go', messages: [], signal: new AbortController().signal },
  ...{ onMessage: () => {}, cancel: () => {}, say: () => {} },
  ask: () => Promise.reject(new Error('none')),
  phase: async () => {},
  note: async () => {},
});

const work = (mode: string, silenceMs: number) =>
  acpRun(run(), {
    ...{ clock, name: 'hostile', folder: ROOT, life: () => 'l', silenceMs, report: () => {} },
    start: () => start(process.execPath, join(ROOT, 'test/support/acp-hostile-main.ts'), mode),
    offer: async () => ({
      server: () => ({ type: 'http', name: 'robot', url: 'http://127.0.0.1:1/mcp', headers: [] }),
      close: async () => {},
    }),
  });

describe('an agent as a process', () => {
  it.each([
    ['dead', 'it ended: exit code 3'],
    ['garbage', 'its output is not JSON-RPC'],
    ['flood', 'too much within a second'],
    ['giant', 'a message has more than'],
    ['silent', 'it did nothing for 1 s'],
    ['forks', 'it did nothing for 1 s'],
  ])('%s: the run has its cause', (mode, cause) => {
    expect(causes[mode]).toContain(cause);
  });

  it('is gone with its group, although it does not listen to SIGTERM', async () => {
    const forked = Number(/^forked (\d+)$/m.exec(stderr.join('\n'))?.[1]);
    expect(forked).toBeGreaterThan(0);
    for (const pid of [...pids, forked]) await until(() => !isAlive(pid), `process ${pid} is gone`);
  });

  it('is not there: the error says so', async () => {
    await expect(start('/nowhere/agent')).rejects.toMatchObject({ code: 'host.missing' });
  });
});
