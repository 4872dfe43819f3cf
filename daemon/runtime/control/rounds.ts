import { type BlobStore, EdgeError, LIMITS, type Tool, withDeadline } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { ACCEPT_TOOL } from '../loop/loop-checks.ts';
import { ROUND_TOOL } from '../loop/loop-flow.ts';
import { isLoopRun } from '../loop/loop-harness.ts';
import { leftOf } from '../runs/run-budget.ts';
import type { RunView } from '../runs/run-view.ts';
import { renewBlobs } from '../runs/session-blobs.ts';
import type { BranchParts } from './open-part.ts';
import { openPart, partOf } from './open-part.ts';
import { type ChildEnd, endOf, type SubRuns } from './sub-runs.ts';

const DAY_MS = 86_400_000;
/** A disk that does not answer by then fails the round, milliseconds. */
const RENEW_MS = 30_000;

export type RoundParts = BranchParts & {
  readonly blobs: BlobStore | undefined;
  readonly children: Pick<SubRuns, 'over'>;
};

export type RoundAsk = {
  readonly number: number;
  readonly findings: readonly string[];
  readonly after?: string;
};

/**
 * Rounds of an outer loop, each a run of its own. An agent continues the session of the round before, and is given
 * the findings as the next message; a flow has them as `{/loop/findings}`. The same call finds the same round.
 */
export class Rounds {
  readonly #parts: RoundParts;

  constructor(parts: RoundParts) {
    this.#parts = parts;
  }

  async run(runId: string, callId: string, ask: RoundAsk, signal: AbortSignal): Promise<ChildEnd> {
    const key = `call:${callId}:round`;
    const child = partOf(this.#parts, runId, key) ?? (await this.#open(this.#parent(runId), key, ask));
    await this.#parts.children.over(child.state.run_id, signal);
    return endOf(this.#parts.store.get(child.state.run_id)!);
  }

  async #open(parent: RunView, key: string, { number, findings, after }: RoundAsk): Promise<RunView> {
    const { store, blobs, clock } = this.#parts;
    if (store.ancestors(parent).length >= LIMITS.RUN_DEPTH_MAX)
      throw new EdgeError('run.limit', {
        operation: 'round',
        subject: parent.state.run_id,
        message: `runs are nested at most ${LIMITS.RUN_DEPTH_MAX} deep, and a round is one of them`,
        hint: 'ask for an application with an outer loop from a run that is less deep',
        retryable: false,
      });
    const left = leftOf(parent, (view) => store.children(view.state.run_id));
    if (left.turns === 0 || left.tokens === 0)
      throw new EdgeError('run.budget', {
        operation: 'round',
        subject: parent.state.run_id,
        message: `nothing is left of its budget for round ${number}`,
      });
    const before = after === undefined ? undefined : store.get(after);
    const entry = before && store.session(before).at(-1)?.payload.entry_id;
    const from = before && entry !== undefined ? { run_id: before.state.run_id, entry_id: entry } : undefined;
    if (from)
      await withDeadline(clock, RENEW_MS, renewBlobs(store.branch(from), blobs), 'round', from.run_id);
    const isTold = parent.state.harness !== 'flow' && findings.length > 0;
    return await openPart(this.#parts, parent, {
      key,
      harness: parent.state.harness,
      budget: {
        ...(left.turns === undefined ? {} : { turns: left.turns }),
        ...(left.tokens === undefined ? {} : { tokens: left.tokens }),
      },
      timeS: undefined,
      more: { round: { number, findings: [...findings] }, ...(from ? { forked_from: from } : {}) },
      messages: isTold ? [{ kind: 'steer', text: wordsOf(findings) }] : [],
    });
  }

  #parent(runId: string): RunView {
    const { store, appOf, goesOn } = this.#parts;
    const view = store.get(runId);
    const app = view && appOf(view);
    if (view && app && goesOn(runId) && isLoopRun(app, { round: view.round, attended: view.intent.attended }))
      return view;
    throw new EdgeError('run.not_supported', {
      operation: 'round',
      subject: runId,
      message: 'only the outer loop of an application starts its rounds',
      hint: 'run.spawn asks for other runs',
    });
  }
}

function wordsOf(findings: readonly string[]): string {
  return [
    'What you did was checked and is not good enough yet. Continue from where you are, put this right, then finish again:',
    ...findings.map((one) => `- ${one}`),
  ].join('\n');
}

/** Tools of the run of an outer loop. Its rounds have others: those of the application. */
export function loopToolsOf(rounds: Rounds): readonly Tool[] {
  const closed = { additionalProperties: false } as const;
  return [
    {
      spec: {
        name: ROUND_TOOL,
        description: 'Does the task once more, with what was wrong before; answers how that ended.',
        input: Type.Object(
          {
            round: Type.Integer({ minimum: 1, maximum: 10, description: 'from 1' }),
            findings: Type.Array(Type.String({ maxLength: 400 }), {
              maxItems: 16,
              description: 'what was wrong with the round before',
            }),
            after: Type.Optional(Type.String({ maxLength: 64, description: 'run of the round before' })),
          },
          closed,
        ),
        effect: 'write',
        // Under the same call it is the same round.
        replay: 'safe',
        deadlineMs: DAY_MS,
        origin: 'house',
      },
      run: async (args, { runId, callId, signal }) => {
        const { round, findings, after } = args as { round: number; findings: string[]; after?: string };
        const ask = { number: round, findings, ...(after === undefined ? {} : { after }) };
        return { result: { ...(await rounds.run(runId, callId, ask, signal)) } };
      },
    },
    {
      spec: {
        name: ACCEPT_TOOL,
        description:
          'Takes a result where the policies allow it. They judge this call; it does nothing else.',
        input: Type.Object(
          {
            check: Type.String({ maxLength: 64, description: 'name of the check' }),
            result: Type.Object({}, { additionalProperties: true, description: 'what the round ended with' }),
          },
          closed,
        ),
        effect: 'read',
        replay: 'safe',
        deadlineMs: 5_000,
        origin: 'house',
      },
      run: async () => ({ result: { accepted: true } }),
    },
  ];
}
