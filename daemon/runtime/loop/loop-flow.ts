import type {
  Facts,
  FlowDefinition,
  FlowEnd,
  FlowScope,
  FlowState,
  FlowStep,
  JsonValue,
  LoopCheck,
  LoopDefinition,
} from '../../../contract/index.ts';
import { ACCEPT_TOOL, checked, type Verdict } from './loop-checks.ts';

/** The tool that does a round. */
export const ROUND_TOOL = 'loop.round';
/** A summary of a round above this is not judged; it is in the log of the round. */
const SUMMARY_BYTES_MAX = 6_000;
const FINDINGS_MAX = 12;
const VERDICT_MS = 60_000;
const RETRY = { times: 2, delayMs: 1_000, delayMsMax: 10_000 };

type Result = { readonly status: string; readonly reason: string; readonly run_id: string } & Facts;
type Round = { readonly run_id: string; readonly score: number; readonly findings: readonly string[] };
type Known = Facts & {
  readonly round: number;
  readonly findings: readonly string[];
  readonly result?: Result;
  readonly scores: Readonly<Record<string, Verdict>>;
  readonly rounds: readonly Round[];
  readonly best?: {
    readonly score: number;
    readonly reason: string;
    readonly run_id: string;
    readonly summary: Facts;
  };
};

/** The tools that the run of a loop may call, beside those of its checks. */
export function loopTools({ checks }: LoopDefinition): readonly string[] {
  return [ROUND_TOOL, ACCEPT_TOOL, ...checks.flatMap((check) => (check.kind === 'tool' ? check.tool : []))];
}

/**
 * A loop as a flow: a round, one state for each check, the verdict. What is known is in the log with each state, so a
 * cut repeats at most the check that it interrupted, and finds the round that it interrupted again.
 */
export function loopFlow(name: string, loop: LoopDefinition, deadlineMs: number): FlowDefinition {
  const checks = loop.checks.map((check, index): [string, FlowState] => [
    `check_${index + 1}`,
    checkState(check, index + 1 < loop.checks.length ? `check_${index + 2}` : 'verdict'),
  ]);
  const states: Record<string, FlowState | FlowEnd> = {
    round: {
      about: `a round of ${name}, at most ${loop.roundsMax}`,
      deadlineMs,
      enter: (scope) => round(scope),
      on: { done: 'check_1', failed: 'verdict', cancelled: 'cancelled' },
    },
    ...Object.fromEntries(checks),
    verdict: {
      about: `the score, from ${loop.threshold} on it is good enough`,
      deadlineMs: VERDICT_MS,
      enter: async ({ facts }) => verdict(facts as Known, loop),
      on: {
        passed: 'passed',
        again: 'round',
        spent: loop.otherwise === 'accept' ? 'accepted' : 'below',
      },
    },
    passed: end('succeeded', 'good enough', ({ best }) => best?.reason ?? ''),
    ...(loop.otherwise === 'accept'
      ? {
          accepted: end(
            'succeeded',
            'the best that came',
            (facts) => `${below(facts, loop)}; the best counts`,
          ),
        }
      : { below: end('failed', 'not good enough', (facts) => below(facts, loop)) }),
    cancelled: end('cancelled', 'a round was cancelled', ({ result }) =>
      String(result?.reason ?? 'cancelled'),
    ),
  };
  return {
    name: `${name}.loop`,
    start: 'round',
    tools: loopTools(loop),
    stepsMax: (loop.checks.length + 2) * loop.roundsMax + 2,
    begin: () => ({ round: 0, findings: [], scores: {}, rounds: [] }),
    states: states as FlowDefinition['states'],
  };
}

async function round({ facts, tools }: FlowScope): Promise<FlowStep> {
  const { round: before, findings, result: last } = facts as Known;
  const number = before + 1;
  const after = last === undefined ? {} : { after: last.run_id };
  const { status, reason, run_id, score, summary } = await tools.call(ROUND_TOOL, {
    ...{ round: number, findings },
    ...after,
  });
  const fits = summary !== undefined && JSON.stringify(summary).length <= SUMMARY_BYTES_MAX;
  const result = {
    ...{ status, reason, run_id },
    ...(score === undefined ? {} : { score }),
    ...(fits ? { summary } : {}),
  } as JsonValue;
  const event = status === 'succeeded' ? 'done' : status === 'cancelled' ? 'cancelled' : 'failed';
  return {
    event,
    reason: `round ${number}: ${String(reason)}`,
    facts: { round: number, result, scores: {} },
  };
}

function checkState(check: LoopCheck, next: string): FlowState {
  return {
    about: `${check.name} (${check.kind})`,
    deadlineMs: check.deadlineMs,
    retry: RETRY,
    async enter(scope) {
      const { result, scores } = scope.facts as Known;
      const { run_id: _, ...shown } = result!;
      const found = await checked(check, shown, scope);
      const words = found.findings.length === 0 ? '' : `: ${found.findings.join('; ')}`;
      return {
        event: 'checked',
        reason: `${check.name} ${found.score.toFixed(2)}${words}`,
        facts: { scores: { ...scores, [check.name]: found } as unknown as JsonValue },
      };
    },
    on: { checked: next },
  };
}

/** The score of a round: the mean of its checks by their weights. A round that failed has none of it. */
function verdict(facts: Known, { checks, threshold, roundsMax }: LoopDefinition): FlowStep {
  const { result, scores, round: number, rounds, best } = facts;
  const weights = checks.reduce((sum, { weight }) => sum + weight, 0);
  const isDone = result!.status === 'succeeded';
  const sum = checks.reduce((all, { name, weight }) => all + weight * (scores[name]?.score ?? 0), 0);
  const score = isDone ? sum / weights : 0;
  const findings = isDone
    ? checks.flatMap(({ name }) => scores[name]?.findings ?? []).slice(0, FINDINGS_MAX)
    : [`the run failed: ${result!.reason}`.slice(0, 300)];
  const mine = {
    score,
    reason: result!.reason,
    run_id: result!.run_id,
    summary: (result!['summary'] ?? {}) as Facts,
  };
  const known = {
    findings,
    scores: {},
    rounds: [...rounds, { run_id: result!.run_id, score, findings: findings.slice(0, 3) }],
    best: best === undefined || score > best.score ? mine : best,
  };
  const event = isDone && score >= threshold ? 'passed' : number < roundsMax ? 'again' : 'spent';
  const more = event === 'again' ? `: round ${number + 1} has ${findings.length} findings to work on` : '';
  return {
    event,
    reason: `score ${score.toFixed(2)} of ${threshold}${more}`,
    facts: known as unknown as Facts,
  };
}

function below({ best, rounds, findings }: Known, { threshold }: LoopDefinition): string {
  const why = findings[0] === undefined ? '' : `: ${findings[0]}`;
  return `score ${(best?.score ?? 0).toFixed(2)} is below ${threshold} after ${rounds.length} rounds${why}`;
}

function end(status: FlowEnd['end'], about: string, reason: (facts: Known) => string): FlowEnd<Known> {
  return {
    about,
    end: status,
    conclude: (facts) => ({
      reason: reason(facts).slice(0, 512),
      ...(facts.best ? { score: facts.best.score } : {}),
      summary: {
        ...(facts.best?.summary ?? {}),
        loop: { rounds: facts.rounds as unknown as JsonValue, run_id: facts.best?.run_id ?? null },
      },
    }),
  };
}
