import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { type Application, EdgeError, type LanguageModel, type ModelRequest } from '../../contract/index.ts';
import { DegradingHarness } from '../../daemon/runtime/flow/degrading-harness.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel } from '../fakes/scripted-model.ts';
import { finish } from '../support/agent-apps.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const maze = { ...application, harness: 'pi' as const, tools: [...application.tools!, finish] };

type More = {
  readonly before?: RuntimeRig;
  readonly cut?: Cut;
  readonly app?: Application;
  readonly returnMs?: number;
};

function rigOf(model: LanguageModel, robot: FakeRobot, { before, cut, app = maze, returnMs }: More = {}) {
  const blobs = new MemoryBlobStore();
  const options = returnMs === undefined ? {} : { returnMs };
  return new RuntimeRig({
    apps: [app],
    robot,
    ...(before ? { disk: before.disk, clock: before.clock } : {}),
    ...(cut ? { cut } : {}),
    options: {
      models: () => model,
      blobs,
      harnesses: {
        pi: (one) => new DegradingHarness(new PiHarness(one, { blobs, patienceMs: 0 }), one.flow!, options),
      },
    },
  });
}

async function ran(model: LanguageModel, robot = new FakeRobot({ seed: 5, cells: 5 }), more: More = {}) {
  const rig = rigOf(model, robot, more);
  await rig.cell.start();
  await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
  await rig.finished();
  return rig;
}

/** What a very small model does: what the last result says comes next. */
function obedient({ messages }: ModelRequest): Line {
  const last = messages.at(-1)!;
  const next = /"next":"call ([a-z_]+)(?: with status ([a-z]+))?"/.exec(last.text);
  if (next?.[1] === 'run_finish')
    return { calls: [{ name: 'run_finish', args: { status: next[2], reason: 'as the robot says' } }] };
  return { calls: [{ name: next?.[1] ?? 'maze_explore_frontier' }] };
}

/** Chooses places itself, always the first. */
function choosing({ messages }: ModelRequest): Line {
  const last = messages.at(-1)!;
  if (last.text.includes('"exit_reached":true'))
    return { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'out' } }] };
  if (last.text.includes('"places":[{')) return { calls: [{ name: 'maze_go_to', args: { place: 'A' } }] };
  if (last.text.includes('"problem"')) return { calls: [{ name: 'maze_back_out' }] };
  if (last.text.includes('"places":[]')) return { calls: [{ name: 'maze_explore_frontier' }] };
  return { calls: [{ name: 'maze_list_frontiers' }] };
}

describe('the maze application as an agent', () => {
  it('finds the exit by doing what each result suggests', async () => {
    for (const seed of [3, 5]) {
      const robot = new FakeRobot({ seed, cells: 5, stuckShare: 0.1 });
      const rig = await ran(new ScriptedModel(obedient), robot);
      expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded' });
      expect((await robot.state()).signals['/maze/exit_reached']).toBe(true);
    }
  });

  it('finds the exit by choosing places by letter', async () => {
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    const rig = await ran(new ScriptedModel(choosing), robot);
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', reason: 'out' });
    expect((await robot.state()).signals['/maze/exit_reached']).toBe(true);
    expect(rig.of('tool.called').some(({ payload }) => payload.tool === 'maze.go_to')).toBe(true);
  });

  it('refuses letters, words and numbers that are no place', async () => {
    const bad = ['"E"', '"a"', '"A "', '1', 'null', '["A"]', '"А"'];
    let at = 0;
    const model = new ScriptedModel(() =>
      at < bad.length
        ? { calls: [{ name: 'maze_go_to', raw: `{"place":${bad[at++]}}` }] }
        : { calls: [{ name: 'run_finish', args: { status: 'failed', reason: 'enough' } }] },
    );
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    // Without choices, so that the tool itself has to refuse.
    const { choices: _, ...agent } = maze.agent!;
    const rig = await ran(model, robot, { app: { ...maze, agent } });
    expect(robot.orders.filter((order) => order.startsWith('navigate'))).toEqual([]);
    const codes = rig.of('tool.returned').map(({ payload }) => payload.error?.code);
    expect(codes.slice(0, bad.length)).toEqual(bad.map(() => 'schema.invalid'));
  });

  it('is carried on by its flow when no model answers, and says so', async () => {
    let asked = 0;
    const model = new ScriptedModel((request) => {
      if (++asked > 4)
        throw new EdgeError('model.unavailable', { operation: 'complete', subject: 'm', message: 'gone' });
      return obedient(request);
    });
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    const rig = await ran(model, robot);
    const { status, reason, summary, score } = rig.of('run.finished')[0]!.payload;
    expect([status, score, summary['degraded'], summary['reached']]).toEqual(['succeeded', 1, true, true]);
    expect(reason).toBe('degraded, without a model: the exit is reached');
    const phases = rig.of('run.phase').map(({ payload }) => payload);
    const degraded = phases.findIndex(({ phase }) => phase === 'degraded');
    expect(phases[degraded]?.reason).toMatch(/no model answers \(model\.unavailable: gone\)/);
    expect(phases[degraded + 1]?.phase).toBe('explore');
    // Every later phase says so, and the robot stood before the flow decided anything.
    for (const { reason } of phases.slice(degraded + 1))
      expect(reason).toMatch(/^degraded, without a model: /);
    const named = (kind: string, word: string) =>
      rig.events.findIndex((event) => event.kind === kind && JSON.stringify(event.payload).includes(word));
    const stop = named('tool.called', 'degraded: no model answers');
    const phase = named('run.phase', '"phase":"degraded"');
    expect(stop).toBeGreaterThan(0);
    expect(stop).toBeLessThan(phase);
  });

  it('goes back to its agent by itself once a model answers again; the robot stands at each change', async () => {
    let gone = true;
    const purposes: string[] = [];
    const model = new ScriptedModel((request) => {
      purposes.push(request.purpose);
      // Back at the second try.
      if (purposes.filter((purpose) => purpose === 'return to agent').length >= 2) gone = false;
      if (gone) throw new EdgeError('model.unavailable', { operation: 'complete', subject: 'm' });
      return request.purpose === 'return to agent' ? { text: 'ready' } : obedient(request);
    });
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    const rig = await ran(model, robot, { returnMs: 0 });
    const { status, summary, reason } = rig.of('run.finished')[0]!.payload;
    expect([status, summary['degraded'], reason]).toEqual(['succeeded', undefined, 'as the robot says']);
    const phases = rig.of('run.phase').map(({ payload }) => payload);
    expect(phases.some(({ phase, previous }) => phase === 'agent' && previous === 'degraded')).toBe(true);
    const stops = rig.of('tool.called').filter(({ payload }) => payload.tool === 'robot.stop');
    expect(stops.length).toBeGreaterThanOrEqual(2);
    // The model is asked to look again, and it has what it did before.
    expect(JSON.stringify(model.requests.at(-1)!.messages)).toContain('look again');
  });

  it('is carried on by its flow when its model only talks, or calls what cannot be called', async () => {
    for (const line of [{ text: 'Let us see.' }, { calls: [{ name: 'maze_fly', args: {} }] }]) {
      const rig = await ran(new ScriptedModel(() => line));
      const { status, reason } = rig.of('run.finished')[0]!.payload;
      expect([status, reason]).toEqual(['succeeded', 'degraded, without a model: the exit is reached']);
    }
  });

  it('is carried on by its flow when no model may be paid for any more', async () => {
    const model = new ScriptedModel((request, count) => {
      if (count > 2) throw new EdgeError('quota.exceeded', { operation: 'spend', subject: 'lab' });
      return obedient(request);
    });
    const rig = await ran(model);
    const { status, reason } = rig.of('run.finished')[0]!.payload;
    expect([status, reason]).toEqual(['succeeded', 'degraded, without a model: the exit is reached']);
    const phases = rig.of('run.phase').map(({ payload }) => payload.reason);
    expect(phases).toContainEqual(expect.stringMatching(/no model answers \(quota\.exceeded/));
  });

  it('stays with its flow over restarts, and is not given back to a model', async () => {
    const robot = new FakeRobot({ seed: 5, cells: 5 });
    const dead = new ScriptedModel(() => {
      throw new EdgeError('model.unavailable', { operation: 'complete', subject: 'm' });
    });
    const first = rigOf(dead, robot, { cut: { append: 14, when: 'after' } });
    await first.cell.start();
    void first.cell.submit({ type: 'maze/find_exit' }, PERSON).catch(() => undefined);
    await first.finished();
    expect(first.of('run.phase').some(({ payload }) => payload.phase === 'degraded')).toBe(true);
    const alive = new ScriptedModel(obedient);
    const second = rigOf(alive, robot, { before: first });
    await second.cell.start();
    await second.finished();
    expect(alive.requests).toEqual([]);
    expect(second.of('run.finished')[0]!.payload).toMatchObject({
      status: 'succeeded',
      reason: 'degraded, without a model: the exit is reached',
    });
  });
});
