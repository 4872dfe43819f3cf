import { describe, expect, it } from 'vitest';
import { EdgeError, LIMITS, type PolicyHook } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, forever, type Work } from '../support/agent-app.ts';
import { call, rigOf, type Works } from '../support/agent-rig.ts';
import { PERSON, type RigOptions, type RuntimeRig } from '../support/runtime-rig.ts';

async function send(rig: RuntimeRig, type: string, params: Record<string, unknown> = {}): Promise<string> {
  return (await rig.cell.submit({ type, params }, PERSON)).run.run_id;
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

/** The status of every run, by the name of its application, in the order of their ends. */
function ends(rig: RuntimeRig): string[] {
  return rig
    .of('run.finished')
    .map(({ run_id, payload }) => `${rig.cell.run(run_id!).app} ${payload.status}`);
}

describe('a run that another run asks for', () => {
  it('acts for the same principal with the origin run, and its outcome goes to the parent', async () => {
    const rig = rigOf({
      boss: async (context) => {
        const answer = await call(context, 'run.delegate', {
          intent: 'hand/go',
          params: { n: 3 },
          priority: 9,
        });
        return { summary: { answer } };
      },
      hand: async ({ intent }) => ({ score: 0.5, reason: 'did it', summary: { got: intent.params['n'] } }),
    });
    await rig.cell.start();
    const boss = await send(rig, 'boss/go');
    await rig.until(() => rig.of('run.finished').length === 2, 'both ends');
    const [root, child] = rig.cell.control.tree(boss);
    expect(child!.run).toMatchObject({ parent_run_id: boss, status: 'succeeded' });
    expect(child!.intent).toMatchObject({
      policy_ctx: { ...PERSON, origin: 'run' },
      priority: 5,
      params: { n: 3 },
    });
    expect(root!.summary).toEqual({
      answer: {
        run_id: child!.run.run_id,
        status: 'succeeded',
        reason: 'did it',
        score: 0.5,
        summary: { got: 3 },
      },
    });
    expect(ends(rig)).toEqual(['hand succeeded', 'boss succeeded']);
    expect(rig.cell.runs({ parent: boss }).map(({ app }) => app)).toEqual(['hand']);
  });

  it('is judged by the hooks, and checked like any intent', async () => {
    const seen: string[] = [];
    const hook: PolicyHook = {
      name: 'no-hands',
      decide: async ({ point, context, facts }) => {
        if (point === 'intent') seen.push(`${context.principal} ${context.origin} ${String(facts['type'])}`);
        return { decision: facts['type'] === 'hand/go' ? 'deny' : 'allow', reason: 'no' };
      },
    };
    const codes: string[] = [];
    const rig = rigOf(
      {
        boss: async (context) => {
          codes.push(await codeOf(call(context, 'run.spawn', { intent: 'hand/go' })));
          codes.push(await codeOf(call(context, 'run.spawn', { intent: 'nobody/go' })));
          codes.push(await codeOf(call(context, 'run.spawn', { intent: 'hand/go', turns: '5' })));
          codes.push(await codeOf(call(context, 'run.wait', { run_ids: [context.runId], time_s: 1 })));
          return {};
        },
        hand: forever,
      },
      { hooks: [hook] },
    );
    await rig.cell.start();
    await send(rig, 'boss/go');
    await rig.finished();
    expect(codes).toEqual(['policy.denied', 'intent.unknown_type', 'schema.invalid', 'run.not_found']);
    expect(seen).toEqual(['ada cli boss/go', 'ada run hand/go']);
  });

  it('has never more than its parent has left: turns, tokens and time', async () => {
    const given: unknown[] = [];
    const rig = rigOf({
      boss: async (context) => {
        const one = { intent: 'hand/go', turns: 10, tokens: 1_000, time_s: 50 };
        await call(context, 'run.delegate', { ...one, params: { deep: true } });
        return {};
      },
      hand: async (context) => {
        if (context.intent.params['deep'] !== true) return {};
        const ask = async (more: object) =>
          given.push(await call(context, 'run.spawn', { intent: 'leaf/go', ...more }));
        await ask({ turns: 4, tokens: 300, time_s: 9_999 });
        await ask({ turns: 50, time_s: 5 });
        given.push(await codeOf(call(context, 'run.spawn', { intent: 'leaf/go' })));
        return {};
      },
      leaf: forever,
    });
    await rig.cell.start();
    await send(rig, 'boss/go');
    await rig.until(() => given.length === 3, 'what was given');
    const [first, second, third] = given as Record<string, unknown>[];
    expect(first).toMatchObject({ turns: 4, tokens: 300 });
    // What the first may spend is kept for it.
    expect(second).toMatchObject({ turns: 6, tokens: 700 });
    expect(third).toBe('run.budget');
    const hand = rig.cell.runs().find(({ app }) => app === 'hand')!;
    expect(first!['deadline']).toBe(hand.intent.deadline);
    expect(BigInt(second!['deadline'] as string)).toBeLessThan(BigInt(hand.intent.deadline!));
  });

  it('cannot call models beyond its budget, also after a cut', async () => {
    const asked: string[] = [];
    const works: Works = {
      boss: async (context) => {
        await call(context, 'run.delegate', { intent: 'hand/go', turns: 3, tokens: 1_000 }, 'c1');
        return {};
      },
      hand: async ({ model, runId }) => {
        for (;;) {
          const request = {
            messages: [],
            maxTokens: 900,
            temperature: 0,
            deadlineMs: 1_000,
            purpose: 'turn',
          };
          const answer = await model!.complete(request).catch((error: EdgeError) => error.code);
          asked.push(typeof answer === 'string' ? answer : 'answered');
          if (typeof answer === 'string') return { summary: { runId } };
        }
      },
    };
    const limits: number[] = [];
    const more = {
      options: {
        models: (run: { runId: string; emit: (events: never[]) => Promise<void> }) => ({
          info: undefined as never,
          health: async () => ({ ok: true, reason: '', queueDepth: 0 }),
          close: async () => {},
          complete: async ({ maxTokens }: { maxTokens: number }) => {
            limits.push(maxTokens);
            const call_id = '01890000-0000-7000-8000-00000000000a';
            const said = { call_id, ok: true, tokens_in: 100, tokens_out: 50, duration_ms: 1 };
            const called = {
              call_id,
              model: 'm',
              purpose: 'turn',
              parameters: {},
              prompt_sha256: 'a'.repeat(64),
            };
            await run.emit([
              { kind: 'model.called', run_id: run.runId, payload: called },
              { kind: 'model.returned', run_id: run.runId, payload: said },
            ] as never[]);
            return {
              text: '',
              toolCalls: [],
              stopReason: 'stop',
              tokensIn: 100,
              tokensOut: 50,
              model: 'm',
              modelId: 'm',
            };
          },
        }),
      },
    } as unknown as Partial<RigOptions>;
    const first = rigOf(works, { ...more, cut: { append: 11, when: 'after' } });
    await first.cell.start();
    await send(first, 'boss/go');
    await first.until(() => false, 'the cut').catch(() => {});
    expect(first.dead).toBe(true);
    const calledBefore = first.of('model.called').length;
    expect(calledBefore).toBeGreaterThan(0);
    const rig = rigOf(works, { ...more, disk: first.disk, clock: first.clock });
    await rig.cell.start();
    await rig.until(() => rig.of('run.finished').length === 2, 'both ends');
    expect(rig.of('model.called')).toHaveLength(3);
    expect(asked.at(-1)).toBe('run.budget');
    // Each answer is cut to what is left of the tokens.
    expect(limits).toEqual([900, 850, 700]);
  });

  it('never outlives its parent, however that ends', async () => {
    for (const how of ['cancel', 'fail', 'deadline', 'success'] as const) {
      const robot = new FakeRobot({ cells: 4 });
      const boss: Work = async (context) => {
        await call(context, 'run.spawn', { intent: 'hand/go' });
        await context.clock.after(0, () => {});
        if (how === 'fail') return { status: 'failed', reason: 'gave up' };
        if (how === 'success') return {};
        return await forever(context);
      };
      const hand: Work = async (context) => {
        await call(context, 'run.spawn', { intent: 'leaf/go' });
        return await forever(context);
      };
      const apps = [agentApp('boss', { deadlineMs: 20_000 }), agentApp('hand'), agentApp('leaf')];
      const rig = rigOf({ boss, hand, leaf: forever }, { apps, robot });
      await rig.cell.start();
      const id = await send(rig, 'boss/go');
      if (how === 'cancel' || how === 'deadline')
        await rig.until(() => rig.of('run.started').length === 3, 'the leaf');
      const cancelled = how === 'cancel' ? rig.cell.cancel(id, 'enough') : undefined;
      await rig.until(() => rig.cell.status().runs.length === 0, `the end by ${how}`);
      await cancelled;
      const found = ends(rig);
      expect(found.at(-1), how).toBe(
        { cancel: 'boss cancelled', fail: 'boss failed', deadline: 'boss failed', success: 'boss succeeded' }[
          how
        ],
      );
      expect(found.slice(0, -1).every((end) => end.endsWith('cancelled'))).toBe(true);
      if (how === 'cancel') {
        expect(found).toEqual(['leaf cancelled', 'hand cancelled', 'boss cancelled']);
        expect(robot.orders.some((order) => order.startsWith('stop'))).toBe(true);
        expect(rig.cell.runs({ app: 'leaf' })[0]!.reason).toMatch(
          /the run that asked for it is over.*enough/,
        );
      }
    }
  });

  it('may be waited for, looked at and cancelled, by its parent alone', async () => {
    const seen: unknown[] = [];
    const rig = rigOf({
      boss: async (context) => {
        const { run_id } = await call(context, 'run.spawn', { intent: 'hand/go' });
        seen.push(await call(context, 'run.wait', { run_ids: [run_id], time_s: 2 }));
        seen.push(await call(context, 'run.cancel', { run_id, reason: 'too slow' }));
        seen.push(await call(context, 'run.wait', { run_ids: [run_id], time_s: 2 }));
        return {};
      },
      hand: forever,
      other: async (context) => {
        const [hand] = context.intent.params['ids'] as string[];
        seen.push(await codeOf(call(context, 'run.cancel', { run_id: hand, reason: 'mine now' })));
        return {};
      },
    });
    await rig.cell.start();
    await send(rig, 'boss/go');
    await rig.until(() => rig.of('run.started').length === 2, 'the hand');
    const hand = rig.of('run.started')[1]!.run_id;
    await send(rig, 'other/go', { ids: [hand] });
    await rig.until(() => rig.cell.status().runs.length === 0, 'all ends');
    expect(seen).toEqual([
      'run.not_found',
      { runs: [expect.objectContaining({ status: 'running' })] },
      expect.objectContaining({ status: 'cancelled', reason: 'too slow', error: 'run.cancelled' }),
      { runs: [expect.objectContaining({ status: 'cancelled' })] },
    ]);
  });

  it('is limited in depth and width', async () => {
    const codes: string[] = [];
    const rig = rigOf({
      deep: async (context) => {
        const depth = Number(context.intent.params['depth'] ?? 0);
        codes.push(
          `${depth} ${await codeOf(call(context, 'run.delegate', { intent: 'deep/go', params: { depth: depth + 1 } }))}`,
        );
        return {};
      },
      wide: async (context) => {
        for (let i = 0; i <= LIMITS.RUN_CHILDREN_MAX; i++)
          codes.push(await codeOf(call(context, 'run.spawn', { intent: 'leaf/go' })));
        return {};
      },
      leaf: forever,
    });
    await rig.cell.start();
    // All of one application with one slot: parent and child share it.
    await send(rig, 'deep/go');
    await rig.until(() => rig.cell.status().runs.length === 0, 'the depths');
    expect(codes).toEqual(['3 run.limit', '2 none', '1 none', '0 none']);
    codes.length = 0;
    await send(rig, 'wide/go');
    await rig.until(() => rig.cell.status().runs.length === 0, 'the width');
    expect(codes).toEqual([...Array(LIMITS.RUN_CHILDREN_MAX).fill('none'), 'run.limit']);
  });

  it('shares the key of its parent, and trees that tie each other up are untied', async () => {
    const tied = agentApp('tied', { sharing: { concurrencyKey: (params) => String(params['key']) } });
    const codes: string[] = [];
    const works: Works = {
      tied: async (context) => {
        const { child } = context.intent.params as { child?: string };
        if (child === undefined) return {};
        // Both parents are under way before either asks.
        await new Promise<void>((resolve) => context.clock.after(1_000, resolve));
        const { status, error } = await call(context, 'run.delegate', {
          intent: 'tied/go',
          params: { key: child },
        });
        codes.push(`${String(status)} ${String(error)}`);
        return {};
      },
    };
    const options = { sharing: { runsPerApp: 4 } };
    const rig = rigOf(works, { apps: [tied], options });
    await rig.cell.start();
    await send(rig, 'tied/go', { key: 'arm', child: 'arm' });
    await rig.until(() => rig.cell.status().runs.length === 0, 'parent and child');
    expect(codes).toEqual(['succeeded undefined']);
    codes.length = 0;
    await send(rig, 'tied/go', { key: 'arm', child: 'base' });
    await send(rig, 'tied/go', { key: 'base', child: 'arm' });
    await rig.until(() => rig.cell.status().runs.length === 0, 'both trees');
    expect(codes.sort()).toEqual(['failed run.limit', 'succeeded undefined']);
  });

  it('is paused with its parent, waits while that is paused, and goes on with it', async () => {
    const rig = rigOf({
      boss: async (context) => {
        await call(context, 'run.spawn', { intent: 'hand/go' });
        await call(context, 'run.spawn', { intent: 'hand/go' });
        return await forever(context);
      },
      hand: async ({ unpaused, clock }) => {
        await new Promise<void>((resolve) => clock.after(3_000, resolve));
        await unpaused();
        return {};
      },
    });
    await rig.cell.start();
    const boss = await send(rig, 'boss/go');
    await rig.until(() => rig.of('run.queued').length === 3, 'both hands');
    await rig.until(() => rig.of('run.started').length === 2, 'the first hand');
    await rig.cell.control.pause(boss, 'a person is near');
    expect(rig.cell.control.tree(boss).map(({ run }) => run.status)).toEqual(['paused', 'paused', 'paused']);
    for (let i = 0; i < 100; i++) await rig.clock.advance(100);
    expect(rig.of('run.finished')).toEqual([]);
    const next = rigOf({ boss: forever, hand: async () => ({}) }, { disk: rig.disk, clock: rig.clock });
    await next.cell.start();
    for (let i = 0; i < 20; i++) await next.clock.advance(100);
    expect(next.cell.control.tree(boss).map(({ run }) => run.status)).toEqual(['paused', 'paused', 'paused']);
    await next.cell.control.resume(boss);
    await next.until(() => next.of('run.finished').length === 2, 'both hands');
    expect(next.cell.run(boss).run.status).toBe('running');
  });
});
