import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { AskIntent, AskPlan, AskStopped, AskUnclear, Submitted } from '../../contract/core.ts';
import { action } from '../context.ts';
import type { Output } from '../output.ts';
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
Words that an installed application has a phrase for need no model. Otherwise a model makes an intent from them, and
where none fits, the general agent gets them. Words that mean several things are answered with all of these, also with
--yes. "stop" and "halt" stop the robot and every run at once, without a question.
What is relative ("half a metre forward") is meant from where the robot stands.

Examples:
  auraison ask "find the way out"
  auraison ask --yes half a metre forward
  auraison ask stop
  auraison ask "what do you see?" --yes --json

Exit codes: 0 done, 1 failed, 3 nothing was done: it was not confirmed, or means several things.`,
    )
    .action(
      action(async ({ api, out }, words: string[], options: { yes?: boolean; wait: boolean }) => {
        const plan = await api.post<AskPlan>('/v1/ask', { words: words.join(' ') }, PLAN_MS, AS_CLI);
        if (plan.kind === 'stopped') return stopped(out, plan);
        const chosen = await choice(out, plan, options.yes === true);
        if (!chosen) {
          out.result({ plan, done: false }, () => 'nothing was done');
          if (process.stdin.isTTY !== true && plan.kind !== 'unclear')
            out.note('--yes does it without a question');
          return NOT_DONE;
        }
        const sent = await api.post<Submitted>(`/v1/ask/${chosen.ask_id}/confirm`, {}, 60_000, AS_CLI);
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

/** What is to be done of what was shown; undefined: nothing. Of several a person chooses, `--yes` or not. */
async function choice(
  out: Output,
  plan: AskIntent | AskUnclear,
  yes: boolean,
): Promise<AskIntent | undefined> {
  if (plan.kind !== 'unclear') {
    if (!out.json) out.note(planText(plan));
    return yes || /^y(es)?$/i.test(await answered(out.json, 'Do it? [y/N] ')) ? plan : undefined;
  }
  const { candidates, reason } = plan;
  const lines = candidates.map((one, index) => `${index + 1}  ${planText(one)}`);
  if (!out.json) out.note([reason, ...lines].join('\n'));
  const answer = await answered(out.json, `Which one? [1-${candidates.length}, or nothing] `);
  return /^\d{1,2}$/.test(answer) ? candidates[Number(answer) - 1] : undefined;
}

function stopped(out: Output, plan: AskStopped): number {
  const { confirmed, warnings } = plan;
  out.result({ plan, done: true }, () =>
    [confirmed ? 'the robot was stopped, and every run' : 'the order to stop was given', ...warnings].join(
      '\n',
    ),
  );
  return confirmed ? 0 : 1;
}

function planText({ kind, app, intent, about, reason }: AskIntent): string {
  if (kind === 'agent') return `for the agent of ${app}, in your words (${reason})`;
  return `${intent.type} ${JSON.stringify(intent.params)}\n  ${about}`;
}

/** A question on the terminal; no answer without one. */
async function answered(json: boolean, question: string): Promise<string> {
  if (json || process.stdin.isTTY !== true) return '';
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}
