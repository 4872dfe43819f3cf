import { beforeAll, describe, expect, it } from 'vitest';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { AgentEvent } from '../../contract/index.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { diffRuns } from '../../daemon/runtime/replay/run-diff.ts';
import { Random } from '../support/random.ts';
import { type Mind, randomPlan } from '../support/random-plan.ts';
import { RandomRun } from '../support/random-runs.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

/** The first seeds, and seeds whose runs were once replayed as different: cancelled, paused, judged, cut in odd places. */
const SEEDS = [
  ...Array.from({ length: 6 }, (_, i) => i + 1),
  17,
  23,
  29,
  51,
  87,
  102,
  206,
  213,
  557,
  761,
  1_023,
];

/** Sessions that were once replayed as different: stopped, closed, paused or asked to summarise in the middle of a step. */
const SESSIONS = [6, 14, 366];
/** Of these only the whole is done again. */
const MORE_SESSIONS = [
  3,
  19,
  34,
  132,
  283,
  778,
  1_139,
  1_145,
  ...Array.from({ length: 40 }, (_, i) => i + 1_001),
];

/** Carried out once; replays do not change it. */
const done = new Map<string, RandomRun>();

async function carriedOut(seed: number, minds?: readonly Mind[]): Promise<RandomRun> {
  const key = `${seed} ${minds?.join() ?? ''}`;
  const known = done.get(key);
  if (known) return known;
  const run = new RandomRun(randomPlan(new Random(seed), minds));
  await run.carryOut();
  done.set(key, run);
  return run;
}

/** Each run of a plan that began, with its events. */
function runsOf(run: RandomRun): { readonly runId: string; readonly events: readonly AgentEvent[] }[] {
  return run.runs
    .map((runId) => ({ runId, events: run.events.filter((event) => event.run_id === runId) }))
    .filter(({ events }) => events.some(({ kind }) => kind === 'run.started'));
}

/** Where replays differ: of the whole of each run and, if `each`, from each of its events. */
async function differences(seed: number, run: RandomRun, each: boolean): Promise<unknown[]> {
  const parts = run.parts();
  const different: unknown[] = [];
  for (const { runId, events } of runsOf(run)) {
    for (let n = 0; n < (each ? events.length : 1); n++) {
      const outcome = await replayRun(parts, runId, n === 0 ? undefined : String(n));
      if (outcome.verdict !== 'identical') different.push({ seed, n, ...outcome.divergence });
      else if (n > 0) expect(outcome.from, `seed ${seed}`).toBeLessThanOrEqual(Math.max(4, n + 1));
    }
  }
  return different;
}

describe('a random run', () => {
  it.each(SEEDS)('of seed %i comes out as it was, whole and from each of its events', async (seed) => {
    expect(await differences(seed, await carriedOut(seed), true)).toEqual([]);
  });

  it('is, over these seeds, of every kind that matters', async () => {
    const seen = new Set<string>();
    for (const seed of SEEDS) {
      const run = await carriedOut(seed);
      seen.add(run.plan.mind);
      for (const event of run.events) {
        if (event.kind === 'run.started' && event.payload.attempt > 1) seen.add('killed');
        if (event.kind === 'run.message') seen.add(event.payload.kind);
        if (event.kind === 'run.queued' && event.payload.forked_from) seen.add('forked');
        if (event.kind === 'run.queued' && event.payload.parent_run_id) seen.add('asked for by a run');
        if (event.kind === 'run.status') seen.add(event.payload.status);
        if (event.kind === 'run.finished') seen.add(event.payload.status);
        if (event.kind === 'run.phase' && event.payload.phase === 'degraded')
          seen.add('carried on by a flow');
        if (event.kind === 'tool.called') seen.add(event.payload.tool.split(/[./]/)[0]!);
        if (event.kind === 'tool.returned' && event.payload.error) seen.add(event.payload.error.code);
      }
    }
    const kinds = [
      'agent',
      'flow',
      'degraded',
      'killed',
      'steer',
      'follow_up',
      'forked',
      'asked for by a run',
    ];
    const ends = ['paused', 'cancelled', 'succeeded', 'carried on by a flow'];
    const calls = ['do', 'ext', 'srv', 'run', 'robot', 'schema.invalid', 'tool.not_found', 'policy.denied'];
    expect([...seen]).toEqual(expect.arrayContaining([...kinds, ...ends, ...calls, 'run.interrupted']));
  }, 60_000);
});

describe('a random session', () => {
  it.each(SESSIONS)('of seed %i comes out as it was, whole and from each of its events', async (seed) => {
    expect(await differences(seed, await carriedOut(seed, ['session']), true)).toEqual([]);
  });

  it('comes out as it was, whatever people said and whenever they said it', async () => {
    const seen = new Set<string>();
    const different: unknown[] = [];
    for (const seed of [...SESSIONS, ...MORE_SESSIONS]) {
      const run = await carriedOut(seed, ['session']);
      for (const kind of happened(run.events)) seen.add(kind);
      different.push(...(await differences(seed, run, false)));
    }
    expect(different).toEqual([]);
    const said = ['steer', 'follow_up', 'stop', 'close', 'compact', 'model', 'thinking', 'label'];
    const rest = ['stop in a call', 'paused', 'killed', 'forked', 'auraison.dropped'];
    expect([...said, ...rest].filter((kind) => !seen.has(kind))).toEqual([]);
  }, 120_000);

  /** What people said, in the middle of what, and what became of it. */
  function happened(events: readonly AgentEvent[]): Set<string> {
    const seen = new Set<string>();
    const open = { call: 0, answer: 0 };
    for (const { kind, payload } of events) {
      if (kind === 'tool.called') open.call++;
      if (kind === 'tool.returned') open.call--;
      if (kind === 'model.called') open.answer++;
      if (kind === 'model.returned') open.answer--;
      const of = payload as Record<string, unknown>;
      if (kind === 'run.message') seen.add(String(of['kind']));
      if (kind === 'run.message' && open.call > 0) seen.add(`${of['kind']} in a call`);
      if (kind === 'run.message' && open.answer > 0) seen.add(`${of['kind']} in an answer`);
      if (kind === 'run.status' || kind === 'run.finished') seen.add(String(of['status']));
      if (kind === 'run.started' && Number(of['attempt']) > 1) seen.add('killed');
      if (kind === 'run.queued' && of['forked_from'] !== undefined) seen.add('forked');
      if (kind === 'session.entry') seen.add(String((of['entry'] as Record<string, unknown>)['customType']));
    }
    return seen;
  }
});

const ANY_ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/;

describe('the difference of random runs', () => {
  it('of the same plan is none, and of two plans is named by step and meaning', async () => {
    const different: unknown[] = [];
    const words: string[] = [];
    for (const [i, seed] of SEEDS.entries()) {
      const [a, b, other] = [
        await carriedOut(seed),
        await carriedOut(seed),
        await carriedOut(SEEDS.at(i - 1)!),
      ];
      const [left, again, right] = [runsOf(a), runsOf(b), runsOf(other)];
      for (const [n, run] of left.entries()) {
        const found = diffRuns(run, again[n]!);
        if (!found.identical) different.push({ seed, n, words: found.words });
      }
      const parted = diffRuns(left[0]!, right[0]!);
      if (!parted.identical) words.push(parted.words!);
    }
    expect(different).toEqual([]);
    expect(words.length).toBeGreaterThan(10);
    expect(words.filter((one) => one === '' || ANY_ID.test(one))).toEqual([]);
  }, 60_000);
});

describe('an answer that was changed in the record', () => {
  /** The number of the event of the run that is changed, and of the first that depends on it. */
  async function changed(seed: number, mind: Mind, kind: 'tool.returned' | 'model.returned') {
    const run = await carriedOut(seed, [mind]);
    const { runId, events } = runsOf(run)[0]!;
    for (const [at, event] of events.entries()) {
      const other = event.kind === kind ? otherAnswer(event) : undefined;
      const after = events.findIndex((one, index) => index > at && depends(one, mind));
      const isWhole = !events.slice(at, after).some((one) => one.kind === 'run.started');
      if (!other || after < 0 || !isWhole) continue;
      const index = run.events.indexOf(event);
      run.rig.disk.events[index] = other;
      return { run, runId, at, after };
    }
    return undefined;
  }

  const depends = ({ kind }: AgentEvent, mind: Mind) =>
    kind === (mind === 'flow' ? 'run.phase' : 'session.entry');

  /** Undefined for an answer that nothing depends on. */
  function otherAnswer(event: AgentEvent): AgentEvent | undefined {
    const { payload } = event as AgentEvent<'tool.returned' | 'model.returned'>;
    if (!payload.ok) return undefined;
    if (event.kind === 'model.returned')
      return { ...event, payload: { ...event.payload, answer: { text: 'something else' } } } as AgentEvent;
    if (event.kind !== 'tool.returned' || event.payload.result?.['n'] === undefined) return undefined;
    const result = { ...event.payload.result, n: 77 };
    return { ...event, payload: { ...event.payload, result } } as AgentEvent;
  }

  it.each([
    ['agent', 'tool.returned', 77],
    ['agent', 'model.returned', 'something else'],
    ['flow', 'tool.returned', 77],
  ] as const)(
    'of a run of kind %s (%s) is found at the first event that depends on it',
    async (mind, kind, value) => {
      let found = 0;
      for (let seed = 1; seed <= 16; seed++) {
        const what = await changed(seed, mind, kind);
        if (!what) continue;
        const { run, runId, at, after } = what;
        const parts = run.parts();
        const whole = await replayRun(parts, runId);
        expect({ seed, ...whole }).toMatchObject({ verdict: 'diverged', divergence: { entry: after + 1 } });
        expect(whole.divergence!.actual, `seed ${seed}`).toContain(String(value));
        expect(whole.divergence!.words).toContain(mind === 'flow' ? 'phase' : 'session entry');
        // What comes before is untouched: from there on it is still found, and at the same place.
        const from = await replayRun(parts, runId, String(at));
        expect({ seed, ...from }).toMatchObject({ verdict: 'diverged', divergence: { entry: after + 1 } });
        found++;
      }
      expect(found).toBeGreaterThan(3);
    },
    60_000,
  );
});
