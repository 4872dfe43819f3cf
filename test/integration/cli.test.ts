import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AgentEvent, RunDetails, SegmentInfo, Submitted } from '../../contract/index.ts';
import {
  AURAISON,
  allEvents,
  auraison,
  auraisonAsync,
  type CliResult,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { foreignView } from '../support/readers.ts';

/** The commands as people and scripts call them, against a running daemon. */
const MAZE = { AURAISON_SIM_WIDTH: '4', AURAISON_SIM_HEIGHT: '4', AURAISON_SIM_SEED: '11' };
type Json = Record<string, unknown>;

describe('with a daemon that runs', () => {
  const directory = freshDir('cli');
  let daemon: TestDaemon;
  let sent: CliResult;
  beforeAll(async () => {
    daemon = await testDaemon(directory.path, MAZE);
    sent = await auraisonAsync([
      'intent',
      'send',
      'maze/find_exit',
      '--key',
      'once',
      '--wait',
      '--json',
      '--data-dir',
      directory.path,
    ]);
  });
  afterAll(async () => {
    await daemon?.stop();
    directory.remove();
  });
  const call = (...args: string[]) => auraison([...args, '--data-dir', directory.path]);
  const json = (...args: string[]): Json => {
    const { status, stdout, stderr } = call(...args, '--json');
    expect(`${args.join(' ')}: ${status} ${stderr}`).toBe(`${args.join(' ')}: 0 `);
    return JSON.parse(stdout) as Json;
  };

  it('intent send --wait ends with the run, and its key opens no second one', () => {
    expect(sent.status).toBe(0);
    const details = JSON.parse(sent.stdout) as RunDetails;
    expect(details.run.status).toBe('succeeded');
    expect(json('intent', 'send', 'maze/find_exit', '--key', 'once')).toMatchObject({
      duplicate: true,
      run: { run_id: details.run.run_id },
    });
    const wrong = call('intent', 'send', 'maze/find_exit', '--params', '{"max_bumps": -1}', '--wait');
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('max_bumps');
  });

  it('--json of each command is one document', () => {
    const { run } = JSON.parse(sent.stdout) as RunDetails;
    expect(json('status')).toMatchObject({ robot_id: 'robot' });
    expect(json('runs', 'list')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ run: expect.objectContaining({ run_id: run.run_id }) }),
      ]),
    );
    expect(json('runs', 'show', run.run_id)).toMatchObject({ run: { status: 'succeeded' } });
    expect((json('runs', 'decisions', run.run_id)['decisions'] as unknown[]).length).toBeGreaterThan(5);
    expect(json('log', 'verify')).toMatchObject({ ok: true });
    expect(json('config', 'check')).toMatchObject({ ok: true });
    expect(json('doctor')).toMatchObject({ ok: true, checks: expect.any(Array) });
    expect(json('query', 'select 1 as one')).toMatchObject({ rows: [[1]] });
    const missing = call('runs', 'show', 'nothing', '--json');
    expect(missing.status).toBe(1);
    expect(JSON.parse(missing.stdout)).toMatchObject({ error: { code: expect.any(String) } });
  });

  it('events print a line each, as JSON too', async () => {
    const { run } = JSON.parse(sent.stdout) as RunDetails;
    const lines = call('runs', 'events', run.run_id, '--json').stdout.trim().split('\n');
    const events = lines.map((line) => JSON.parse(line) as AgentEvent);
    expect(events[0]!.kind).toBe('intent.accepted');
    expect(events.at(-1)!.kind).toBe('run.finished');
    expect(new Set(events.map((event) => event.run_id))).toEqual(new Set([run.run_id]));
    const phases = call('events', '--kind', 'run.phase', '--json').stdout.trim().split('\n');
    expect(phases.every((line) => (JSON.parse(line) as AgentEvent).kind === 'run.phase')).toBe(true);
    expect(call('events').stdout).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}runtime +\d+ {2}run\.finished .*succeeded/m,
    );
  });

  it('query --csv is CSV, quotes and empty cells included', () => {
    const sql = `select 'a,"b"' as text, null as nothing, 7 as number, 'two\nlines' as more`;
    const { status, stdout } = call('query', '--csv', sql);
    expect(status).toBe(0);
    expect(stdout).toBe('text,nothing,number,more\n"a,""b""",,7,"two\nlines"\n');
    const python = 'import csv,json,sys; print(json.dumps(list(csv.reader(sys.stdin))))';
    expect(JSON.parse(execFileSync('python3', ['-c', python], { input: stdout, encoding: 'utf8' }))).toEqual([
      ['text', 'nothing', 'number', 'more'],
      ['a,"b"', '', '7', 'two\nlines'],
    ]);
    const refused = call('query', 'drop table events');
    expect(refused.status).toBe(1);
    expect(refused.stderr).not.toBe('');
  });
});

describe('while the robot drives', () => {
  let directory: ReturnType<typeof freshDir>;
  let daemon: TestDaemon | undefined;
  beforeEach(() => {
    directory = freshDir('cli-drive');
  });
  afterEach(async () => {
    await daemon?.stop();
    daemon = undefined;
    directory.remove();
  });

  it('bag record --duration holds just that; runs cancel stops the robot before it answers', async () => {
    const it = await testDaemon(directory.path, { AURAISON_SIM_SPEED: '4' });
    daemon = it;
    const hurry = ['--params', '{"max_duration_s": 1}', '--wait', '--data-dir', directory.path];
    const failed = await auraisonAsync(['intent', 'send', 'maze/find_exit', ...hurry]);
    expect(failed.stdout).toMatch(/^run \S+ failed: /);
    expect(failed.stderr).toMatch(/^run \S+ queued; auraison watch shows it/);
    expect(failed.status).toBe(1);
    const { run } = await it.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
    await until(async () => {
      const { robot } = await it.status();
      return robot.available && (robot.distance ?? 0) > 0.3;
    }, 'the robot is on its way');

    const args = ['bag', 'record', '--duration', '1', '--json', '--data-dir', directory.path];
    const recorded = await auraisonAsync(args);
    expect(recorded.status).toBe(0);
    const { segments } = JSON.parse(recorded.stdout) as { segments: SegmentInfo[] };
    expect(segments.length).toBeGreaterThan(0);
    const paths = segments.map(({ path }) => join(directory.path, path));
    let messages = 0;
    for (const path of paths) {
      const { topics } = await foreignView('mcap', path);
      for (const { count } of Object.values(topics)) messages += count;
      expect(topics['/scan']!.count).toBeGreaterThan(0);
    }
    expect(messages).toBe(segments.reduce((sum, segment) => sum + segment.messages, 0));
    expect(JSON.parse(auraison(['bag', 'info', paths[0]!, '--json']).stdout)).toMatchObject({
      messages: segments[0]!.messages,
    });

    const cancelled = await auraisonAsync([
      'runs',
      'cancel',
      run.run_id,
      '--json',
      '--data-dir',
      directory.path,
    ]);
    expect(cancelled.status).toBe(0);
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ run_id: run.run_id, status: 'cancelled' });
    await until(async () => {
      const { robot } = await it.status();
      // Idle where it was cancelled between two motions.
      if (!robot.available || robot.motion === 'moving') throw new Error(JSON.stringify(robot));
      return true;
    }, 'the status has had its next look');
    const events = await allEvents(it.api);
    const first = (kind: string) => events.findLast((event) => event.kind === kind)!;
    // The motion has let go of the base, which it does when the robot stands; then the run ended.
    expect(BigInt(first('lease.released').ts)).toBeLessThanOrEqual(BigInt(first('run.finished').ts));
  });

  it('events --follow goes on, each event once, when the daemon is restarted', async () => {
    const env = { AURAISON_ROBOT_SOURCE: 'none' };
    daemon = await testDaemon(directory.path, env);
    const followed = follow(directory.path);
    try {
      await until(() => followed.events.some(({ kind }) => kind === 'cell.started'), 'the past is told');
      await daemon.stop();
      await until(() => followed.said().includes('waiting for the daemon'), 'it waits for the daemon');
      daemon = await testDaemon(directory.path, env);
      const all = await until(async () => {
        const found = await allEvents(daemon!.api);
        const started = found.filter(({ kind }) => kind === 'cell.started');
        // Three cells log; the link does not without a central.
        return started.length >= 6 && followed.events.length >= found.length && found;
      }, 'the second life is told as well');
      const ids = followed.events.map(({ event_id }) => event_id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(expect.arrayContaining(all.map(({ event_id }) => event_id)));
    } finally {
      await followed.end();
    }
  });
});

function follow(dataDir: string): { events: AgentEvent[]; said(): string; end(): Promise<void> } {
  const child: ChildProcess = spawn(AURAISON, ['events', '--follow', '--json', '--data-dir', dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: AgentEvent[] = [];
  let said = '';
  child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
  createInterface({ input: child.stdout! }).on('line', (line) => events.push(JSON.parse(line) as AgentEvent));
  return {
    events,
    said: () => said,
    async end() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

it('the manual page has each command, and each option of it', () => {
  const { status, stdout } = auraison(['man']);
  expect(status).toBe(0);
  for (const line of ['\\fBup\\fR', '\\fBbag play\\fR', '\\fBestop engage\\fR', '.SH "EXIT STATUS"'])
    expect(stdout).toContain(line);
});

describe('completion bash', () => {
  const script = auraison(['completion', 'bash']);

  /** What bash offers for a line that ends at the cursor. */
  function offered(...words: string[]): string[] {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const ask = `${script.stdout}\nCOMP_WORDS=(auraison ${quoted})\nCOMP_CWORD=${words.length}\n_auraison\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', ask], { encoding: 'utf8', cwd: ROOT }).split('\n').filter(Boolean);
  }

  it.each([
    [['st'], ['status']],
    [['bag', 'p'], ['play']],
    [['runs', 'c'], ['cancel']],
    [['--json', 'intent', ''], ['send']],
    [
      ['query', '--c'],
      ['--csv', '--config'],
    ],
    [['--data-dir', '/tmp', 'bag', 'i'], ['info']],
    [['runs', 'show', 'some-run', '--j'], ['--json']],
    [['bag', 'play', '--rate', '2', '--lo'], ['--loop']],
    [['--config', 'package-l'], ['package-lock.json']],
  ])('completes %j', (line, wanted) => {
    expect(script.status).toBe(0);
    expect(offered(...line)).toEqual(expect.arrayContaining(wanted));
  });

  it('names every command, and bash accepts the script', () => {
    const help = auraison(['--help']).stdout;
    const commands = [
      ...help
        .split('Commands:')[1]!
        .split('Examples:')[0]!
        .matchAll(/^ {2}([a-z]+) /gm),
    ].map((match) => match[1]!);
    expect(offered('')).toEqual(expect.arrayContaining(commands.filter((name) => name !== 'help')));
    expect(commands.length).toBeGreaterThan(10);
  });
});
