import type { Line } from '../fakes/scripted-model.ts';
import type { Random } from './random.ts';
import type { Cut } from './runtime-rig.ts';

export type Mind = 'agent' | 'flow' | 'degraded' | 'session';

/** What a person says in a session, and when. */
export type Saying = {
  readonly what: Nudge['what'] | 'stop' | 'close' | 'model' | 'thinking';
  /** While a call or a model is under way, while the session waits, or once the log has this many events. */
  readonly when: 'call' | 'answer' | 'rest' | number;
  /** Turns of the queue of promises that pass before it is said. */
  readonly hops: number;
  /** The next is said once this one has its answer. */
  readonly waits: boolean;
};

/** What happens to a run from outside, once its log has this many events. */
export type Nudge = {
  readonly events: number;
  readonly what: 'steer' | 'follow_up' | 'pause' | 'resume' | 'compact' | 'label';
};

export type Plan = {
  readonly mind: Mind;
  readonly turns: readonly (Line | 'fails')[];
  readonly states: readonly (readonly string[])[];
  readonly nudges: readonly Nudge[];
  readonly cuts: readonly Cut[];
  readonly judged: boolean;
  readonly forked: boolean;
  /** Events after which the run is cancelled. */
  readonly cancelled: number | undefined;
  readonly seed: number;
  /** For sessions. */
  readonly sayings: readonly Saying[];
};

const TOOLS = [
  'do.read',
  'do.write',
  'do.probe',
  'do.break',
  'do.picture',
  'ext.note',
  'srv.look',
  'srv/look',
];
const ACTS = [
  'look',
  'map',
  'drive',
  'go',
  'rest',
  'read',
  'ext',
  'srv',
  'fail',
  'throw',
  'wait',
  'both',
  'deaf',
  'child',
];

/** One run and what befalls it. Everything follows from the numbers of `random`. */
export function randomPlan(random: Random, minds: readonly Mind[] = ['agent', 'flow', 'degraded']): Plan {
  const mind = random.one(minds);
  if (mind === 'session') return randomSession(random);
  const turns = random.list(1, 5, () => randomTurn(random));
  if (mind === 'degraded') turns.push('fails');
  const killed = random.chance(0.5);
  return {
    mind,
    turns,
    states: random.list(1, 4, () => random.list(0, 3, () => random.one(ACTS))),
    nudges:
      mind === 'agent' && random.chance(0.5)
        ? random.list(1, 3, () => ({
            events: random.below(30) + 3,
            what: random.one(['steer', 'follow_up', 'pause', 'resume', 'compact', 'label'] as const),
          }))
        : [],
    cuts: killed ? random.list(1, 3, () => randomCut(random, 25)) : [],
    judged: random.chance(0.5),
    forked: mind === 'agent' && random.chance(0.4),
    cancelled: random.chance(0.1) ? random.below(30) + 4 : undefined,
    seed: random.below(1_000) + 1,
    sayings: [],
  };
}

const SLOW = ['slow.yields', 'slow.half', 'slow.stubborn'];
/** Some are said more often than others. */
const SAID = [
  ...(['stop', 'stop', 'stop', 'stop', 'steer', 'steer', 'follow_up', 'follow_up', 'close'] as const),
  ...(['pause', 'resume', 'compact', 'label', 'model', 'thinking'] as const),
];

function randomSession(random: Random): Plan {
  return {
    mind: 'session',
    turns: random.list(2, 7, () => randomReply(random)),
    states: [],
    nudges: [],
    cuts: random.chance(0.4) ? random.list(1, 2, () => randomCut(random, 40)) : [],
    judged: random.chance(0.5),
    forked: random.chance(0.3),
    cancelled: random.chance(0.1) ? random.below(40) + 8 : undefined,
    seed: random.below(1_000) + 1,
    sayings: random.list(1, 6, () => ({
      what: random.one(SAID),
      when: random.one(['call', 'call', 'call', 'answer', 'rest', 'rest', random.below(50) + 4] as const),
      hops: random.chance(0.5) ? 0 : random.below(60),
      waits: random.chance(0.6),
    })),
  };
}

function randomReply(random: Random): Line | 'fails' {
  if (random.chance(0.04)) return 'fails';
  if (random.chance(0.3)) return { text: `say ${random.below(9)}` };
  const calls = random.list(1, 3, () =>
    random.chance(0.6)
      ? { id: 'call_0', name: shown(random.one(SLOW)), args: { n: random.below(10) } }
      : randomCall(random),
  );
  return { ...(random.chance(0.5) ? { text: `say ${random.below(9)}` } : {}), calls };
}

function randomCut(random: Random, appends: number): Cut {
  return { append: random.below(appends) + 4, when: random.chance(0.5) ? 'before' : 'after' };
}

function randomTurn(random: Random): Line | 'fails' {
  if (random.chance(0.1)) return { text: 'thinking' };
  return {
    ...(random.chance(0.5) ? { text: `say ${random.below(9)}` } : {}),
    ...(random.chance(0.1) ? { stop: 'length' as const } : {}),
    calls: random.list(1, 2, () => randomCall(random)),
  };
}

function randomCall(random: Random): { name: string; args?: unknown; raw?: string; id: string } {
  // Servers give the same ids again, or random ones.
  const id = random.chance(0.5) ? 'call_0' : `chatcmpl-${random.below(1e9).toString(36)}`;
  const kind = random.below(12);
  if (kind === 0) return { id, name: 'no_such_tool', args: { n: 1 } };
  if (kind === 1) return { id, name: shown(random.one(TOOLS)), args: { n: 'one' } };
  if (kind === 2) return { id, name: shown(random.one(TOOLS)), raw: '{"n":' };
  if (kind === 3) return { id, name: 'run_delegate', args: { intent: 'hand/go', time_s: 60 } };
  if (kind === 4) return { id, name: 'run_spawn', args: { intent: 'hand/go', time_s: 60 } };
  return { id, name: shown(random.one(TOOLS)), args: { n: random.below(10) } };
}

const shown = (name: string) => name.replace(/[^A-Za-z0-9_-]/g, '_');
