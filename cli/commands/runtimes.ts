import type { Command } from 'commander';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { EdgeError, type RuntimeView } from '../../contract/core.ts';
import { readSecret } from '../../daemon/secrets.ts';
import { runtimeToken } from '../../io/runtime-token.ts';
import { action, type CommandContext } from '../context.ts';
import { table } from '../output.ts';
import { addA2aCommand } from './runtimes-a2a.ts';
import { addAcpCommand } from './runtimes-acp.ts';

const NONE = 'no runtime is configured: see [[runtimes.accept]] in docs/runtimes.md';

/** Foreign runtimes: programs that dial in and execute runs. */
export function addRuntimesCommands(program: Command): void {
  const runtimes = program
    .command('runtimes')
    .description('programs of others that execute runs: who may dial in, who is connected')
    .addHelpText(
      'after',
      `
A runtime dials in by WebSocket, in any language: contract/RUNTIME.md. Clients: clients/python, clients/typescript.

Examples:
  auraison runtimes list
  auraison runtimes show workshop
  auraison runtimes token workshop       what it has to show
  auraison runtimes acp workshop -- opencode acp
  auraison runtimes a2a planner https://planner.example
  auraison runtimes disconnect workshop`,
    );
  runtimes
    .command('list')
    .description('runtimes that may dial in, and what each executes')
    .addHelpText('after', '\nExamples:\n  auraison runtimes list\n  auraison runtimes list --json')
    .action(
      action(async ({ api, out }) => {
        const found = await api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes');
        out.result(found, () => listText(found.runtimes));
        return 0;
      }),
    );
  runtimes
    .command('show <name>')
    .description('one runtime with its runs')
    .addHelpText('after', '\nExample:\n  auraison runtimes show workshop')
    .action(
      action(async ({ api, out }, name: string) => {
        const view = await api.get<RuntimeView>(`/v1/runtimes/${encodeURIComponent(name)}`);
        out.result(view, () => showText(view));
        return 0;
      }),
    );
  runtimes
    .command('token <name>')
    .description('print the token of a runtime of this host; it opens nothing but its own runs')
    .addHelpText(
      'after',
      '\nExample:\n  AURAISON_RUNTIME_TOKEN=$(auraison runtimes token workshop) python agent.py',
    )
    .action(
      action(async (context, name: string) => {
        const token = await tokenOf(context, name);
        context.out.result({ name, token }, () => token);
        return 0;
      }),
    );
  addAcpCommand(runtimes, tokenOf);
  addA2aCommand(runtimes, tokenOf);
  runtimes
    .command('disconnect <name>')
    .description('end the session of a runtime; its runs wait, pause or fail, as their applications say')
    .option('--reason <text>', 'for the runtime and the log')
    .addHelpText('after', '\nExample:\n  auraison runtimes disconnect workshop --reason "new version"')
    .action(
      action(async ({ api, out }, name: string, { reason }: { reason?: string }) => {
        const path = `/v1/runtimes/${encodeURIComponent(name)}/disconnect`;
        const view = await api.post<RuntimeView>(path, reason === undefined ? {} : { reason });
        out.result(view, () => `${name} is disconnected`);
        return 0;
      }),
    );
}

/** The token of a runtime that this host configures. */
async function tokenOf({ settings }: CommandContext, name: string): Promise<string> {
  const { config, dataDir } = settings;
  const row = config.runtimes.accept.find((one) => one.name === name);
  if (!row)
    throw new EdgeError('runtime.not_found', {
      ...{ operation: 'find runtime', subject: name },
      hint: `add [[runtimes.accept]] with name = "${name}" to the configuration`,
    });
  const secrets = new FileSecrets(dataDir, String(process.pid));
  const configured = readSecret(row.token_file, `runtimes.accept: ${name}`, process.env);
  return configured ?? (await runtimeToken(secrets, name));
}

function listText(found: readonly RuntimeView[]): string {
  if (found.length === 0) return NONE;
  return table(
    ['RUNTIME', 'STATE', 'PROGRAM', 'FROM', 'AGENTS', 'RUNS', 'REFUSED', 'WHY'],
    found.map(({ name, state, peer, agents, runs, refused, reason, program }) => [
      ...[name, state, programText(program), peer, agents.join(' '), String(runs.length), String(refused)],
      state === 'connected' ? '' : [program?.why, reason].filter((one) => one).join('; '),
    ]),
  );
}

function showText(view: RuntimeView): string {
  const { name, state, peer, version, language, agents, connections, resumed, refused, reason, runs } = view;
  const head = [
    `${name}: ${state}${peer === '' ? '' : `, from ${peer}`}`,
    `agents: ${agents.join(', ') || 'none'}`,
    `version ${version || 'unknown'}${language === '' ? '' : `, ${language}`}`,
    `${connections} connections, ${resumed} of them continued a session, ${refused} refused`,
    `not acknowledged: ${view.waiting_messages} messages, ${view.waiting_bytes} bytes`,
    reason === '' ? '' : `last end: ${reason}`,
    view.program
      ? `program: ${programText(view.program)}, ${view.program.what}; ${heldText(view.program)}`
      : '',
    view.program?.why ? `it ended: ${view.program.why}` : '',
  ].filter((line) => line !== '');
  if (runs.length === 0) return [...head, 'no runs'].join('\n');
  const rows = runs.map((run) => [
    ...[run.run_id, run.app, run.agent, run.state, `${run.calls} (${run.open_calls} open)`],
    run.said.trim().split('\n').at(-1)?.slice(-60) ?? '',
  ]);
  return [...head, table(['RUN', 'APP', 'AGENT', 'STATE', 'CALLS', 'SAYS'], rows)].join('\n');
}

/** Of a runtime that this daemon starts. */
function programText(program: RuntimeView['program']): string {
  if (!program) return 'elsewhere';
  const { state, pid, starts } = program;
  return `${state}${pid === undefined ? '' : ` ${pid}`}${starts > 1 ? `, started ${starts} times` : ''}`;
}

function heldText({ sandbox }: NonNullable<RuntimeView['program']>): string {
  return sandbox === '' || sandbox === 'none' ? 'without a sandbox' : `in the sandbox ${sandbox}`;
}
