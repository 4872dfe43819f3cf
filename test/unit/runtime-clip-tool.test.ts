import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ClipInfo,
  type ClipOrder,
  type ClipRequest,
  EdgeError,
  METHODS,
  payloadFault,
  type RunTools,
} from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import type { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { payloads, sampleOf } from '../support/recorder.ts';
import { makeRecording, numbersIn } from '../support/recording.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const SHA = 'ab'.repeat(32);

/** An execution cell that makes each clip once by its id. */
function serveClips(rig: RuntimeRig, made: Map<string, ClipRequest>, asked: ClipRequest[]): void {
  rig.bus.handle(METHODS.execution.clipRecord, async (body) => {
    const request = body as ClipRequest;
    asked.push(request);
    made.set(request.clipId!, request);
    const bag = `clip-${request.name}`;
    const whole = { bag, state: 'whole', path: `bags/${bag}/${bag}_0.mcap`, sha256: SHA, messages: 7 };
    return whole as ClipInfo;
  });
}

function clipApp(order: unknown) {
  return flowApp(
    'clips',
    oneState(async ({ tools }) => {
      const receipt = await tools.clipRecording(order as ClipOrder);
      return { event: 'ok', reason: 'clip', facts: { receipt } };
    }),
  );
}

type Setup = { order?: unknown; cut?: Cut; disk?: MemoryLogDisk; denies?: boolean };
async function runClips({ order = { name: 'bump', pre_s: 5, post_s: 0.5 }, cut, disk, denies }: Setup = {}) {
  const made = new Map<string, ClipRequest>();
  const asked: ClipRequest[] = [];
  const hook = {
    name: 'no-clips',
    decide: async ({ subject }: { subject: string }) =>
      subject === 'clip_recording'
        ? ({ decision: 'deny', reason: 'privacy' } as const)
        : ({ decision: 'allow', reason: 'fine' } as const),
  };
  const rig = new RuntimeRig({
    apps: [clipApp(order)],
    robot: new FakeRobot({ cells: 4 }),
    ...(denies ? { hooks: [hook] } : {}),
    ...(cut ? { cut } : {}),
    ...(disk ? { disk } : {}),
  });
  serveClips(rig, made, asked);
  await rig.cell.start();
  if (!disk) void rig.cell.submit({ type: 'clips/go' }, PERSON).catch(() => {});
  await rig.finished();
  return { rig, made, asked };
}

describe('the tool clip_recording', () => {
  it('asks the recorder under the id of the call, and is in the log before and after', async () => {
    const { rig, asked } = await runClips();
    const [called, returned] = [rig.of('tool.called')[0]!, rig.of('tool.returned')[0]!];
    expect(called.payload).toMatchObject({
      tool: 'clip_recording',
      effect: 'write',
      replay: 'safe',
      args: { name: 'bump', pre_s: 5, post_s: 0.5 },
    });
    const { call_id } = called.payload;
    expect(asked).toEqual([
      {
        trigger: 'agent',
        reason: 'bump',
        name: 'bump',
        clipId: call_id,
        preMs: 5000,
        postMs: 500,
        wait: true,
      },
    ]);
    const result = { bag: 'clip-bump', path: 'bags/clip-bump/clip-bump_0.mcap', sha256: SHA, messages: 7 };
    expect(returned.payload).toMatchObject({ call_id, ok: true, result });
    expect(rig.of('run.finished')[0]!.payload.summary).toEqual({ receipt: result });
    for (const { kind, payload } of rig.events) expect(payloadFault(kind, payload)).toBeUndefined();
  });

  it.each([
    [{ pre_s: '5', post_s: 1 }],
    [{ pre_s: -1, post_s: 1 }],
    [{ pre_s: 1, post_s: 601 }],
    [{ pre_s: 3601, post_s: 1 }],
    [{ pre_s: Number.NaN, post_s: 1 }],
    [{ pre_s: 1 }],
    [{ pre_s: 1, post_s: 1, more: 1 }],
    [{ name: '../etc', pre_s: 1, post_s: 1 }],
    [{ name: '', pre_s: 1, post_s: 1 }],
  ])('refuses %j before anything happens', async (order) => {
    const { rig, asked } = await runClips({ order });
    expect(asked).toEqual([]);
    expect(rig.of('tool.called')).toEqual([]);
    expect(rig.of('run.finished')[0]!.payload.status).toBe('failed');
  });

  it('is judged by the policy hooks', async () => {
    const { rig, asked } = await runClips({ denies: true });
    expect(asked).toEqual([]);
    expect(rig.of('tool.returned')[0]!.payload.error?.code).toBe('policy.denied');
  });

  it('is one clip, wherever the process dies', async () => {
    const { rig: whole } = await runClips();
    let cuts = 0;
    for (let append = 1; append <= whole.appends.length; append++) {
      for (const when of ['before', 'after'] as const) {
        const first = await runClips({ cut: { append, when } });
        const { disk } = first.rig;
        if (!disk.events.some(({ kind }) => kind === 'run.queued' || kind === 'intent.accepted')) continue;
        if (disk.events.some(({ kind }) => kind === 'run.finished')) continue;
        cuts += 1;
        const second = await runClips({ disk });
        const ids = new Set([...first.made.keys(), ...second.made.keys()]);
        expect(ids.size, `append ${append} ${when}`).toBe(1);
        expect(second.rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
      }
    }
    expect(cuts).toBeGreaterThan(4);
  });
});

describe('the recorder asked twice under one id', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'clip-tool-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it('makes one clip: at once, later, and in another life', async () => {
    const request: ClipRequest = {
      trigger: 'agent',
      reason: '',
      name: 'bump',
      clipId: '01890a5d-ac96-774b-bcce-b302099a8057',
      preMs: 9,
      postMs: 0,
      wait: true,
    };
    const first = makeRecording(dataDir);
    await first.start();
    for (let i = 0; i < 100; i++) first.recording.offer(sampleOf('/a', i));
    const [one, two] = await Promise.all([first.recording.clip(request), first.recording.clip(request)]);
    const three = await first.recording.clip(request);
    await first.stop();
    const second = makeRecording(dataDir);
    await second.start();
    const four = await second.recording.clip(request);
    await second.stop();
    expect(one).toMatchObject({ state: 'whole', messages: 10, clip_id: request.clipId });
    expect([two, three, four]).toEqual([one, one, one]);
    expect(one!.bag).toMatch(/^clip-.*-bump-/);
    expect(payloads(first.events, 'clip.recorded')).toHaveLength(1);
    expect(await numbersIn(join(dataDir, 'bags', one!.bag))).toHaveLength(10);
    const file = readFileSync(join(dataDir, one!.path!));
    expect(createHash('sha256').update(file).digest('hex')).toBe(one!.sha256);
  });
});

describe('turtlebot-maze and clips', () => {
  async function mission(recording: RunTools['recording'], answers: 'clips' | 'nothing' = 'clips') {
    const robot = new FakeRobot({ seed: 3, cells: 6, stuckShare: 0.5 });
    const rig = new RuntimeRig({ apps: [application], robot, options: { recording } });
    const asked: ClipRequest[] = [];
    if (answers === 'clips') serveClips(rig, new Map(), asked);
    else
      rig.bus.handle(METHODS.execution.clipRecord, async () => {
        throw new EdgeError('recorder.failed', { operation: 'record clip', subject: 'agent' });
      });
    await rig.cell.start();
    await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
    await rig.finished();
    const stuck = rig.of('tool.returned').filter(({ payload }) => payload.result?.['outcome'] === 'stuck');
    return { orders: robot.orders, asked, stuck, rig };
  }

  it('keeps what happened when it gets stuck, in a ring only, and drives the same way', async () => {
    const ring = await mission('ring');
    const plain = await mission('continuous');
    expect(ring.stuck.length).toBeGreaterThan(0);
    expect(ring.asked.length).toBeGreaterThan(0);
    expect(ring.asked.length).toBeLessThanOrEqual(ring.stuck.length);
    expect(ring.asked[0]).toMatchObject({ trigger: 'agent', name: 'stuck', preMs: 8000, postMs: 1000 });
    expect(plain.asked).toEqual([]);
    expect(plain.rig.of('tool.called').some(({ payload }) => payload.tool === 'clip_recording')).toBe(false);
    expect(ring.orders).toEqual(plain.orders);
  });

  it('goes its way when there is no clip to be had', async () => {
    const without = await mission('ring', 'nothing');
    const plain = await mission('off');
    const failed = without.rig.of('tool.returned').filter(({ payload }) => payload.tool === 'clip_recording');
    expect(failed.length).toBeGreaterThan(0);
    expect(failed[0]!.payload.error?.code).toBe('recorder.failed');
    expect(without.orders).toEqual(plain.orders);
  });
});
