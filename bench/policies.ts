/**
 * What a decision costs: the hook with the question it builds, beside bare `statefulIsAuthorized` on the same question,
 * alternating in one run. `node bench/policies.ts [decisions]`.
 */

import { cedarCall } from '../adapters/cedar/cedar-request.ts';
import { CedarJudge, loadCedar, PolicyBook } from '../adapters/cedar/index.ts';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import type { HookQuestion, PolicyRequest } from '../contract/index.ts';

const decisions = Number(process.argv[2] ?? 5_000);
const text = Array.from(
  { length: 20 },
  (_, i) =>
    `@id("p${i}") permit (principal in Auraison::Role::"operator", action == Auraison::Action::"tool", resource in Auraison::Group::"g${i}");`,
).join('\n');
const files = [{ file: 'bench.cedar', text: `${text}\n@id("all") permit (principal, action, resource);` }];
const clock = new SystemClock();
const source = { policies: files, entities: { file: 'entities.json', text: '' } };
const book = await PolicyBook.open({
  ...{ robot: 'r', clock, read: () => source },
  standing: ({ roles }) => ({ ok: true, roles }),
});
const builtIn = await PolicyBook.open({
  ...{ robot: 'r', clock, read: () => ({ ...source, policies: [] }) },
  standing: ({ roles }) => ({ ok: true, roles }),
});
const question: HookQuestion = {
  point: 'tool',
  subject: 'robot.navigate',
  context: { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'api' },
  facts: { pose: { x: 1.5, y: 2, yaw: 0.1 }, tolerance: 0.2 },
  about: { effect: 'actuate', intent: 'maze/find_exit' },
};
const cedar = await loadCedar();
const judge = new CedarJudge(cedar, files);
const asked = (await book.decide(question)).request as unknown as PolicyRequest;
cedar.call((bare) => bare.preparsePolicySet('bare', { staticPolicies: files[0]!.text }));
const bare = { ...cedarCall(asked), preparsedPolicySetId: 'bare' };
const times: Record<string, number[]> = { bare: [], judge: [], hook: [], 'built in': [] };
for (let i = 0; i < decisions; i++) {
  await timed('bare', () => cedar.call((raw) => raw.statefulIsAuthorized(bare)));
  await timed('judge', () => judge.judge(asked));
  await timed('hook', () => book.decide(question));
  await timed('built in', () => builtIn.decide(question));
}
const p50 = quantile(times['bare']!, 0.5);
for (const [name, all] of Object.entries(times)) {
  const [half, high] = [quantile(all, 0.5), quantile(all, 0.99)];
  console.log(
    `${name.padEnd(9)} p50 ${half.toFixed(3)} ms  p99 ${high.toFixed(3)} ms  ${(half / p50).toFixed(2)} of bare Cedar`,
  );
}
console.log(
  `${decisions} decisions each, 21 policies; resident ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`,
);

async function timed(name: string, work: () => unknown): Promise<void> {
  const began = performance.now();
  await work();
  times[name]!.push(performance.now() - began);
}

function quantile(values: number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * q)]!;
}
