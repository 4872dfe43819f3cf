import type { Command } from 'commander';
import { isFinished, type RunDetails, type RunState, type SessionEntryView } from '../../contract/core.ts';
import { action } from '../context.ts';
import type { Output } from '../output.ts';

type MessageBody = Readonly<Record<string, unknown>> & { readonly kind: string };

const at = (run: string, what: string) => `/v1/runs/${encodeURIComponent(run)}/${what}`;
const line = (state: RunState) => `run ${state.run_id} ${state.status}`;

/** Prints a run whose robot was stopped, and returns the exit code: 1 where the robot was not confirmed to stand. */
export function stoppedRun(out: Output, state: RunState): number {
  if (state.stop_confirmed === false) out.note('auraison: it was not confirmed that the robot stands');
  out.result(state, () => line(state));
  return state.stop_confirmed === false ? 1 : 0;
}

/** Pause, resume, messages, sessions, forks and trees: words below `auraison runs`. */
export function addRunControlCommands(runs: Command): void {
  runs
    .command('pause <run>')
    .description(
      'stop the robot, then hold the run, and those it asked for, where they are. Exit code 1: the robot was not confirmed to stand',
    )
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .addHelpText(
      'after',
      '\nA paused run keeps its slot, its deadline keeps counting, and it stays paused over a restart.\n\nExample:\n  auraison runs pause 0199…',
    )
    .action(
      action(async ({ api, out }, run: string, { reason }: { reason: string }) => {
        return stoppedRun(out, await api.post<RunState>(at(run, 'pause'), { reason }));
      }),
    );
  runs
    .command('resume <run>')
    .description('continue a paused run, and with those that were paused with it')
    .action(
      action(async ({ api, out }, run: string) => {
        const state = await api.post<RunState>(at(run, 'resume'));
        out.result(state, () => line(state));
        return 0;
      }),
    );
  addMessages(runs);
  addSessions(runs);
}

function addMessages(runs: Command): void {
  const say = (command: Command, body: (words: string[]) => MessageBody) =>
    command.action(
      action(async ({ api, out }, run: string, ...words: string[]) => {
        const state = await api.post<RunState>(at(run, 'messages'), body(words));
        out.result(state, () => `said to ${line(state)}`);
        return 0;
      }),
    );
  say(
    runs
      .command('steer <run> <text>')
      .description('send an agent a message before its next turn')
      .addHelpText(
        'after',
        '\nExample:\n  auraison runs steer 0199… "the left door is closed, take the right one"',
      ),
    ([text]) => ({ kind: 'steer', text }),
  );
  say(
    runs
      .command('follow-up <run> <text>')
      .description('send an agent a message for when it would otherwise stop')
      .addHelpText('after', '\nExample:\n  auraison runs follow-up 0199… "then drive back to the start"'),
    ([text]) => ({ kind: 'follow_up', text }),
  );
  say(
    runs
      .command('use-model <run> <model>')
      .description('another model, from the next turn on')
      .addHelpText('after', '\nExample:\n  auraison runs use-model 0199… local-large'),
    ([model]) => ({ kind: 'model', model }),
  );
  say(
    runs
      .command('label <run> <entry> <text>')
      .description('name an entry of the session')
      .addHelpText('after', '\nExample:\n  auraison runs label 0199… a1b2c3d4 "before the narrow door"'),
    ([entry_id, text]) => ({ kind: 'label', entry_id, text }),
  );
  runs
    .command('compact <run>')
    .description('have the session so far summed up, to make room in the context of the model')
    .option('--keep <text>', 'what the summary must not lose')
    .action(
      action(async ({ api, out }, run: string, { keep }: { keep?: string }) => {
        const body = { kind: 'compact', ...(keep === undefined ? {} : { text: keep }) };
        const state = await api.post<RunState>(at(run, 'messages'), body);
        out.result(state, () => `said to ${line(state)}`);
        return 0;
      }),
    );
}

type ForkOptions = { readonly text?: string; readonly model?: string; readonly key?: string };

function addSessions(runs: Command): void {
  runs
    .command('session <run>')
    .description('the tree of the session of a run: entries, labels, where it stands')
    .action(
      action(async ({ api, out }, run: string) => {
        const { entries } = await api.get<{ entries: SessionEntryView[] }>(at(run, 'session'));
        out.result(entries, () => (entries.length === 0 ? 'this run has no session' : sessionTree(entries)));
        return 0;
      }),
    );
  runs
    .command('fork <run> <entry>')
    .description('a new run that continues from an entry of the session of this one')
    .option('--text <text>', 'first message for the new run')
    .option('--model <name>', 'model of the new run')
    .option('--key <text>', 'idempotency key: the same fork twice is one run')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison runs session 0199…\n  auraison runs fork 0199… a1b2c3d4 --text "take the other corridor"',
    )
    .action(
      action(async ({ api, out }, run: string, entry: string, { text, model, key }: ForkOptions) => {
        const state = await api.post<RunState>(at(run, 'fork'), {
          entry_id: entry,
          ...(text === undefined ? {} : { text }),
          ...(model === undefined ? {} : { model }),
          ...(key === undefined ? {} : { idempotency_key: key }),
        });
        out.result(state, () => line(state));
        return 0;
      }),
    );
  runs
    .command('tree <run>')
    .description('a run and the runs it asked for')
    .action(
      action(async ({ api, out }, run: string) => {
        const { runs: found } = await api.get<{ runs: RunDetails[] }>(at(run, 'tree'));
        out.result(found, () => runTree(found));
        return 0;
      }),
    );
}

/** Entries in the order of the log; only where the session branches does a branch move to the right. */
export function sessionTree(entries: readonly SessionEntryView[]): string {
  const ids = new Set(entries.map(({ entry_id }) => entry_id));
  const parentOf = ({ parent_id }: SessionEntryView) =>
    parent_id !== undefined && ids.has(parent_id) ? parent_id : '';
  const below = new Map<string, SessionEntryView[]>();
  for (const entry of entries) below.set(parentOf(entry), [...(below.get(parentOf(entry)) ?? []), entry]);
  const lines: string[] = [];
  // A stack, not recursion: a session may have thousands of entries in one line.
  const waiting = [...(below.get('') ?? [])].reverse().map((entry) => ({ entry, depth: 0 }));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { entry, depth } = next;
    const marks = `${entry.label === undefined ? '' : `[${entry.label}] `}${entry.leaf ? '<- stands here' : ''}`;
    lines.push(`${'  '.repeat(depth)}${entry.entry_id}  ${entry.kind}  ${entry.text}  ${marks}`.trimEnd());
    const children = below.get(entry.entry_id) ?? [];
    const depthBelow = children.length > 1 ? depth + 1 : depth;
    for (const child of [...children].reverse()) waiting.push({ entry: child, depth: depthBelow });
  }
  return lines.join('\n');
}

export function runTree(runs: readonly RunDetails[]): string {
  const below = new Map<string, RunDetails[]>();
  const [root] = runs;
  for (const details of runs) {
    const parent = details === root ? '' : (details.run.parent_run_id ?? '');
    below.set(parent, [...(below.get(parent) ?? []), details]);
  }
  const lines: string[] = [];
  const walk = (details: RunDetails, depth: number) => {
    const { run, intent, reason } = details;
    const mark = isFinished(run.status) ? '' : '*';
    lines.push(`${'  '.repeat(depth)}${run.run_id}  ${intent.type}  ${run.status}${mark}  ${reason}`);
    for (const child of below.get(run.run_id) ?? []) walk(child, depth + 1);
  };
  if (root) walk(root, 0);
  return lines.join('\n');
}
