import { afterEach, describe, expect, it } from 'vitest';
import type { PolicyDescription } from '../../contract/core.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';
import { ControllersBench } from '../support/controllers-bench.ts';

const OTHER = 'b'.repeat(64);
let bench: ControllersBench;
afterEach(() => bench.desk.close());

async function begun(takesPrefix: boolean): Promise<void> {
  bench = new ControllersBench([controllerSpec({ inferTimeoutMs: 500 })]);
  bench.policies.description = { ...bench.policies.description, takesPrefix };
  bench.policies.delayMs = 100;
  await bench.run(10);
  await bench.desk.begin({ controller: 'arm' }, 'runtime');
  await bench.run(2_000);
}

const prefixes = () => bench.policies.observed.map(({ options }) => options?.prefix?.shape);

/** The next question finds another policy in the place of the one that it was made for. */
function swapUnderWay(change: Partial<PolicyDescription>): void {
  const { policies } = bench;
  policies.onAsked = () => {
    policies.onAsked = () => {};
    policies.description = { ...policies.description, ...change };
  };
}

describe('a policy that is swapped while its controller runs', () => {
  it.each<[string, Partial<PolicyDescription>]>([
    ['another policy', { hash: OTHER }],
    ['another policy with other steps and a shorter chunk', { hash: OTHER, stepMs: 50, output: [4, 2] }],
    ['the same network with other steps', { stepMs: 50 }],
  ])('%s is not told what its predecessor fixed, and from its own first chunk on is', async (_, change) => {
    await begun(true);
    expect(prefixes().at(-1)).toEqual([6, 2]);
    const asked = bench.policies.observed.length;
    bench.policies.description = { ...bench.policies.description, ...change };
    await bench.run(2_000);
    const after = prefixes().slice(asked);
    expect(after.length).toBeGreaterThan(2);
    expect(after[0]).toBeUndefined();
    expect(after.at(-1)).toBeDefined();
    expect(bench.actions.at(-1)!.policy_hash).toBe(change.hash ?? 'a'.repeat(64));
  });

  it('one that comes between a question and its answer is checked too: its numbers are in another order', async () => {
    await begun(false);
    swapUnderWay({ hash: OTHER, actionNames: ['b', 'a'] });
    await bench.run(2_000);
    expect(bench.policies.description.hash).toBe(OTHER);
    expect(bench.actions.filter((action) => action.policy_hash === OTHER && action.chunk > 0)).toEqual([]);
    expect(bench.desk.list()[0]).toMatchObject({
      state: 'starved',
      reason: 'element 0 of an action is b in policy fake, but a in the controller',
    });
  });

  it('an answer of a policy that came and went within one question is not taken', async () => {
    await begun(false);
    const { policies } = bench;
    const first = policies.description;
    policies.onAsked = () => {
      policies.onAsked = () => {};
      // Its numbers may mean anything: nobody has checked them.
      policies.description = { ...first, hash: OTHER, actionNames: ['b', 'a'] };
      bench.clock.after(50, () => {
        policies.description = first;
      });
    };
    await bench.run(2_000);
    expect(policies.description.hash).toBe('a'.repeat(64));
    expect(bench.actions.filter(({ policy_hash }) => policy_hash === OTHER)).toEqual([]);
    expect(bench.actions.at(-1)).toMatchObject({ policy_hash: 'a'.repeat(64), verdict: 'passed' });
  });

  it('one that fits takes over with that very answer', async () => {
    await begun(false);
    swapUnderWay({ hash: OTHER, actionNames: ['a', 'b'] });
    const before = bench.policies.observed.length;
    while (bench.policies.observed.length === before) await bench.run(1);
    // The action under way is the last one of the other.
    await bench.run(130);
    expect(bench.policies.observed).toHaveLength(before + 1);
    expect(bench.actions.at(-1)!.policy_hash).toBe(OTHER);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'running', reason: '' });
  });

  it.each([
    ['another one', OTHER],
    ['the same network with other steps', 'a'.repeat(64)],
  ])('%s that comes in between does not answer with what was fixed for its predecessor', async (_, hash) => {
    await begun(true);
    const taken = () => bench.desk.list()[0]!.chunks;
    swapUnderWay({ hash, stepMs: 50 });
    const before = bench.policies.observed.length;
    while (bench.policies.observed.length === before) await bench.run(1);
    const chunks = taken();
    await bench.run(110);
    expect(prefixes()[before]).toEqual([6, 2]);
    expect(taken()).toBe(chunks);
    // It is asked again within 50 ms, with nothing fixed.
    await bench.run(200);
    expect(prefixes()[before + 1]).toBeUndefined();
    expect(bench.actions.at(-1)).toMatchObject({ policy_hash: hash, verdict: 'passed' });
  });

  it('a server that names its own network in its answers, behind a card of ours, is none', async () => {
    await begun(false);
    const { policies } = bench;
    const open = policies.open.bind(policies);
    policies.open = (caller, name) => {
      const session = open(caller, name);
      const infer: typeof session.infer = async (...question) => ({
        ...(await session.infer(...question)),
        policyHash: OTHER,
      });
      return { ...session, infer };
    };
    policies.renew();
    await bench.run(1_000);
    expect(bench.desk.list()[0]).toMatchObject({ state: 'running', reason: '' });
    expect(bench.actions.at(-1)!.policy_hash).toBe(OTHER);
  });
});
