import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTree, sessionTree } from '../../cli/commands/run-control.ts';
import type { RunDetails, RunState, SessionEntryView } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever } from '../support/agent-app.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const exec = promisify(execFile);
const MESSAGE_ID = '01890000-0000-7000-8000-000000000001';

let runtime: RuntimeRig;
let http: Rig;
let run: RunState;
const heard: string[] = [];

beforeEach(async () => {
  heard.length = 0;
  runtime = new RuntimeRig({
    apps: [agentApp('talk'), agentApp('child')],
    robot: new FakeRobot({ cells: 4 }),
    options: agents({
      child: forever,
      talk: async (context) => {
        context.onMessage(
          async (message) => void heard.push(`${message.kind} ${'text' in message ? message.text : ''}`),
        );
        if (context.session.length === 0) {
          const entry = { type: 'message', message: { role: 'user', content: 'find the door' } };
          const payload = { session_id: 's', entry_id: 'e1', entry };
          await context.emit([{ kind: 'session.entry', payload }]);
          await context.toolBox.call('run.spawn', { intent: 'child/go' }, { originId: 'c' });
        }
        return await forever(context);
      },
    }),
  });
  await runtime.cell.start();
  run = (await runtime.cell.submit({ type: 'talk/go' }, PERSON)).run;
  await runtime.until(() => runtime.cell.control.tree(run.run_id).length === 2, 'a child');
  http = await startRig({}, { runtime: runtime.cell, control: runtime.cell.control });
});
afterEach(() => http.stop());

const post = async (what: string, body?: unknown) => {
  const answer = await http.post(`/v1/runs/${run.run_id}/${what}`, body);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const auraison = async (...words: string[]) => {
  const env = { ...process.env, AURAISON_URL: http.url, AURAISON_TOKEN: TOKEN, NO_COLOR: '1' };
  return (await exec(process.execPath, ['cli/main.ts', ...words], { env })).stdout.trim();
};

describe('control of runs over the API', () => {
  it('pauses and resumes', async () => {
    expect(await post('pause', { reason: 'stand back' })).toMatchObject({
      status: 200,
      body: { status: 'paused' },
    });
    const shown = (await (await http.get(`/v1/runs/${run.run_id}`)).json()) as RunDetails;
    expect(shown.reason).toBe('stand back');
    expect(await post('resume')).toMatchObject({ status: 200, body: { status: 'running' } });
    expect(await post('pause', { why: 1 })).toMatchObject({ status: 200, body: { status: 'paused' } });
  });

  it('talks to a run: strictly, and once for each id', async () => {
    for (let i = 0; i < 2; i++)
      expect((await post('messages', { kind: 'steer', text: 'left', message_id: MESSAGE_ID })).status).toBe(
        200,
      );
    expect((await post('messages', { kind: 'compact' })).status).toBe(200);
    expect(heard).toEqual(['steer left', 'compact ']);
    for (const [body, told] of [
      [{ kind: 'steer' }, /^\/text: missing/],
      [{ kind: 'model', text: 'x' }, /\/text: unknown field|\/model: missing/],
      [{ kind: 'label', text: 'x' }, /\/entry_id/],
      [{ kind: 'shout', text: 'x' }, /kind/],
      [{ kind: 'steer', text: 5 }, /text/],
    ] as const) {
      const { status, body: answer } = await post('messages', body);
      expect([status, answer['code']]).toEqual([400, 'schema.invalid']);
      expect(answer['message']).toMatch(told);
    }
  });

  it('shows sessions and trees, and forks', async () => {
    const { entries } = (await (await http.get(`/v1/runs/${run.run_id}/session`)).json()) as {
      entries: SessionEntryView[];
    };
    expect(entries).toMatchObject([{ entry_id: 'e1', kind: 'user', text: 'find the door', leaf: true }]);
    const { runs } = (await (await http.get(`/v1/runs/${run.run_id}/tree`)).json()) as { runs: RunDetails[] };
    expect(runs.map((one) => one.run.parent_run_id)).toEqual([undefined, run.run_id]);
    const fork = await post('fork', { entry_id: 'e1', text: 'the other door' });
    expect(fork).toMatchObject({ status: 201, body: { status: 'queued' } });
    const waits = (await (await http.get(`/v1/runs/${String(fork.body['run_id'])}`)).json()) as RunDetails;
    expect(waits.reason).toBe('waits: 1 of at most 1 runs of talk are running');
    expect(await post('fork', { entry_id: 'none' })).toMatchObject({
      status: 404,
      body: { code: 'run.not_found' },
    });
    const children = (await (await http.get(`/v1/runs?parent=${run.run_id}`)).json()) as {
      runs: RunDetails[];
    };
    expect(children.runs).toHaveLength(1);
  });

  it('answers for runs that are over or never were', async () => {
    const cancelled = runtime.cell.cancel(run.run_id, 'enough');
    for (let i = 0; i < 60; i++) await runtime.clock.advance(100);
    await cancelled;
    expect(await post('pause')).toMatchObject({ status: 409, body: { code: 'run.finished' } });
    expect((await http.get(`/v1/runs/${MESSAGE_ID}/tree`)).status).toBe(404);
  });
});

describe('auraison runs', () => {
  it('pauses, steers and draws, for people and as JSON', { timeout: 60_000 }, async () => {
    expect(await auraison('runs', 'pause', run.run_id, '--reason', 'stand back')).toBe(
      `run ${run.run_id} paused`,
    );
    expect(JSON.parse(await auraison('--json', 'runs', 'resume', run.run_id))).toMatchObject({
      status: 'running',
    });
    expect(await auraison('runs', 'steer', run.run_id, 'to the left')).toMatch(/^said to run .* running$/);
    expect(heard).toEqual(['steer to the left']);
    expect(await auraison('runs', 'session', run.run_id)).toBe('e1  user  find the door  <- stands here');
    expect((await auraison('runs', 'tree', run.run_id)).split('\n')).toHaveLength(2);
  });

  it('draws branches to the right and long lines straight', () => {
    const entry = (entry_id: string, parent_id: string | undefined, more = {}): SessionEntryView => ({
      ...{
        entry_id,
        parent_id,
        kind: 'user',
        ts: '1',
        text: `says ${entry_id}`,
        label: undefined,
        leaf: false,
      },
      ...more,
    });
    const tree = [
      entry('a', undefined),
      entry('b', 'a', { label: 'door' }),
      entry('c', 'a'),
      entry('d', 'c', { leaf: true }),
    ];
    expect(sessionTree(tree)).toBe(
      [
        'a  user  says a',
        '  b  user  says b  [door]',
        '  c  user  says c',
        '  d  user  says d  <- stands here',
      ].join('\n'),
    );
    const long = Array.from({ length: 20_000 }, (_, i) => entry(`e${i}`, i === 0 ? undefined : `e${i - 1}`));
    expect(sessionTree(long).split('\n').at(-1)).toBe('e19999  user  says e19999');
    expect(runTree([])).toBe('');
  });
});
