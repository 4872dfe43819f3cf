import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { AskPlan, Submitted } from '../../contract/core.ts';
import { action } from '../context.ts';
import { waitForRun } from './intent.ts';

/** Models on small computers take their time, milliseconds. */
const PLAN_MS = 90_000;
const NOT_DONE = 3;
const AS_CLI = { 'x-auraison-origin': 'cli' } as const;

export function addAskCommand(program: Command): void {
  program
    .command('ask <words...>')
    .description('say in your own words what the robot shall do, or ask it something')
    .option('--yes', 'do it at once; otherwise it is shown first, and done when you say y')
    .option('--no-wait', 'do not wait for the end of the run')
    .addHelpText(
      'after',
      `
A model makes an intent of an installed application from the words. Where none fits, the general agent gets them.
What is relative ("half a metre forward") is meant from where the robot stands.

Examples:
  auraison ask "find the way out"
  auraison ask --yes half a metre forward
  auraison ask "what do you see?" --yes --json

Exit codes: 0 done, 1 failed, 3 nothing was done: it was not confirmed.`,
    )
    .action(
      action(async ({ api, out }, words: string[], options: { yes?: boolean; wait: boolean }) => {
        const plan = await api.post<AskPlan>('/v1/ask', { words: words.join(' ') }, PLAN_MS, AS_CLI);
        if (!out.json) out.note(planText(plan));
        if (options.yes !== true && !(await agreed(out.json))) {
          out.result({ plan, done: false }, () => 'nothing was done');
          if (process.stdin.isTTY !== true) out.note('--yes does it without a question');
          return NOT_DONE;
        }
        const sent = await api.post<Submitted>(`/v1/ask/${plan.ask_id}/confirm`, {}, 60_000, AS_CLI);
        if (!options.wait) {
          out.result({ plan, ...sent }, () => `run ${sent.run.run_id} ${sent.run.status}`);
          return 0;
        }
        const details = await waitForRun(api, sent.run.run_id);
        out.result({ plan, ...details }, () => `${details.run.status}: ${details.reason}`);
        return details.run.status === 'succeeded' ? 0 : 1;
      }),
    );
}

function planText({ kind, app, intent, about, reason }: AskPlan): string {
  if (kind === 'agent') return `for the agent of ${app}, in your words (${reason})`;
  return `${intent.type} ${JSON.stringify(intent.params)}\n  ${about}`;
}

/** A question on the terminal; no without one. */
async function agreed(json: boolean): Promise<boolean> {
  if (json || process.stdin.isTTY !== true) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question('Do it? [y/N] ')).trim());
  } finally {
    lines.close();
  }
}
