import { describe, expect, it } from 'vitest';
import { EdgeError, type NewEvent, type ToolAnswer } from '../../contract/index.ts';
import { HeldEnd } from '../../daemon/runtime/runs/held-end.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { agentApp, agents } from '../support/agent-app.ts';
import { tool } from '../support/agent-apps.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const picture = { mime: 'image/png', data: Uint8Array.of(1) } as const;

/** An agent that calls the tool once, keeps what that came to, and succeeds whatever it was. */
async function runOf(answer: ToolAnswer) {
  let times = 0;
  let told: EdgeError | undefined;
  const rig = new RuntimeRig({
    apps: [
      agentApp('odd', {
        tools: [
          tool('do.it', { effect: 'write', replay: 'never' }, async () => {
            times += 1;
            return answer;
          }),
        ],
      }),
    ],
    robot: new FakeRobot({ cells: 4 }),
    options: {
      blobs: new MemoryBlobStore(),
      ...agents({
        odd: async ({ toolBox }) => {
          await toolBox.call('do.it', {}).catch((thrown: EdgeError) => {
            told = thrown;
          });
          return { reason: 'done' };
        },
      }),
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'odd/go' }, PERSON);
  for (let at = 0; at < 10_000 && rig.of('run.finished').length === 0; at += 250) {
    await rig.clock.advance(250);
    for (let i = 0; i < 40; i++) await Promise.resolve();
  }
  return { rig, times, told };
}

describe('a tool whose result fits no log', () => {
  it.each([
    ['17 images', { result: {}, images: new Array(17).fill(picture) }, /17 images, at most 16/],
    ['a long key', { result: { ['k'.repeat(257)]: 1 } }, /a key of 257 characters, at most 256/],
  ])('%s: the agent is told, and the run that succeeded is not done again', async (_, answer, words) => {
    const { rig, times, told } = await runOf(answer as ToolAnswer);
    expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(['succeeded']);
    expect([times, rig.of('run.started').length]).toEqual([1, 1]);
    expect(told).toMatchObject({ code: 'tool.failed', retryable: false });
    expect(told!.message).toMatch(words);
    expect(rig.of('tool.returned').map(({ payload }) => payload)).toMatchObject([
      { tool: 'do.it', ok: false, error: { code: 'tool.failed', message: expect.stringMatching(words) } },
    ]);
  });
});

describe('the end of a run after a result that fits no log', () => {
  const clock = new ManualClock();
  const runId = '018bcfe5-6800-7000-8000-000000000001';
  const callId = '018bcfe5-6800-7000-8000-000000000002';
  const returned = (result: Record<string, unknown>): NewEvent => ({
    kind: 'tool.returned',
    run_id: runId,
    payload: { call_id: callId, tool: 'do.it', ok: true, result, duration_ms: 3 },
  });
  const huge = () => returned({ text: 'x'.repeat(300_000) });
  const outcome = { status: 'succeeded', reason: 'done', summary: { metres: 4 } } as const;
  const rigOf = () => {
    const log = new MemoryEventLog({ cell: 'runtime', clock });
    const append = async (events: readonly NewEvent[]) => void (await log.append(events));
    const end = new HeldEnd({ runId, clock, append, report: () => {} });
    const written = () => log.disk.events.map(({ kind, payload }) => ({ kind, payload }));
    return { append, end, written };
  };

  it('has a plain end of the call in its place', async () => {
    const { append, end, written } = rigOf();
    await expect(end.note([huge()], append)).rejects.toMatchObject({ code: 'schema.invalid' });
    end.hold();
    await end.write([], outcome, undefined);
    const message = expect.stringMatching(/^what it gave does not fit into the log: .*300\d+ bytes/);
    expect(written()).toMatchObject([
      { kind: 'tool.returned', payload: { ok: false, error: { code: 'schema.invalid', message } } },
      { kind: 'run.finished', payload: { status: 'succeeded', reason: 'done', summary: { metres: 4 } } },
    ]);
  });

  it('is written with such ends alone where what came while it was held fits no log', async () => {
    const { append, end, written } = rigOf();
    end.hold();
    await end.note([huge(), returned({ n: 1 })], append);
    await end.write([], outcome, undefined);
    expect(written()).toMatchObject([
      { kind: 'tool.returned', payload: { ok: false } },
      { kind: 'tool.returned', payload: { ok: false } },
      { kind: 'run.finished', payload: { status: 'succeeded', summary: {} } },
    ]);
  });

  it('has no end of a call that was refused together with it', async () => {
    const { end, written } = rigOf();
    const answer = returned({});
    const called = { kind: 'tool.called', run_id: runId, payload: answer.payload } as unknown as NewEvent;
    const full = new EdgeError('log.failed', { operation: 'log.append', subject: 'test' });
    await expect(end.note([called, answer], () => Promise.reject(full))).rejects.toBe(full);
    end.hold();
    await end.write([], outcome, undefined);
    expect(written().map(({ kind }) => kind)).toEqual(['run.finished']);
  });
});
