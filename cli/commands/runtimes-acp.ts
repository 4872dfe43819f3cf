import { resolve } from 'node:path';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { action, type CommandContext } from '../context.ts';
import { bridgeSecrets, SECRETS_OPTION } from './runtimes-secrets.ts';

type Options = {
  readonly agent: string[];
  readonly env: string[];
  readonly folder: string;
  readonly silence: string;
  readonly mode?: string;
  readonly login?: string;
  readonly secrets?: boolean;
};

/** What an agent gets of the environment without being named: where programs and its own login are. */
const ENV = ['PATH', 'HOME', 'LANG', 'TERM', 'TMPDIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME'];
/** Never for an agent: what opens the daemon. */
const SECRET = /^AURAISON_.*TOKEN$/;

/** Stock coding agents as runtimes: they speak the Agent Client Protocol, the robot is their MCP server. */
export function addAcpCommand(
  runtimes: Command,
  tokenOf: (context: CommandContext, name: string) => Promise<string>,
): void {
  const list = (value: string, before: string[]) => [...before, value];
  runtimes
    .command('acp <name> <command...>')
    .description('execute runs with an agent of the Agent Client Protocol; each run is a process of its own')
    .option('--agent <name>', 'agent that applications may ask for; may be given several times', list, [])
    .option(
      '--env <name>',
      'variable, or NAME=value, that the agent gets; may be given several times',
      list,
      [],
    )
    .option('--folder <directory>', 'where the agent works', '.')
    .option('--silence <seconds>', 'an agent that does nothing for so long is ended', '600')
    .option('--login <method>', 'how it logs in before each session, where its environment has the key')
    .option(
      '--mode <id>',
      'mode of its sessions, for agents that have several; default of claude-agent-acp asks',
    )
    .option(...SECRETS_OPTION)
    .addHelpText(
      'after',
      `
<name> is the runtime of [[runtimes.accept]]. Its token is read on this host; elsewhere AURAISON_URL names the daemon,
and --secrets or AURAISON_RUNTIME_TOKEN has the token. The agent gets the tools of its run by MCP; it has no other access to the robot.
What it does on its own host (files, shell) is limited only by a sandbox around the command.

Examples:
  auraison runtimes acp coder -- opencode acp
  auraison runtimes acp coder --env GEMINI_API_KEY -- gemini --acp
  auraison runtimes acp coder --env ANTHROPIC_API_KEY --mode default -- npx @agentclientprotocol/claude-agent-acp
  auraison runtimes acp coder --env OPENAI_API_KEY --login api-key -- npx @agentclientprotocol/codex-acp`,
    )
    .action(
      action(async (context, name: string, command: string[], options: Options) => {
        const { serveAcp } = await import('../acp/serve-acp.ts');
        const { endpointOf } = await import('../../daemon/client/api-client.ts');
        const stop = new AbortController();
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
        const { AURAISON_RUNTIME_TOKEN } = process.env;
        const { token } = await bridgeSecrets(options.secrets);
        const code = await serveAcp({
          url: () => endpointOf(context.settings, '/').url.href,
          token: token || AURAISON_RUNTIME_TOKEN || (await tokenOf(context, name)),
          agents: options.agent.length > 0 ? options.agent : ['*'],
          command: command as [string, ...string[]],
          folder: resolve(options.folder),
          env: envOf(options.env, process.env),
          mode: options.mode,
          login: options.login,
          silenceMs: secondsOf(options.silence, '--silence') * 1_000,
          bridge: [process.execPath, ...process.execArgv, process.argv[1]!, 'mcp'],
          say: (line) => process.stderr.write(`${line}\n`),
          signal: stop.signal,
        });
        return stop.signal.aborted ? 0 : refusedWith(code, name);
      }),
    );
}

/** The environment of the agent: some names, and what was asked for. Throws `config.invalid`. */
export function envOf(
  given: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const one of [...ENV, ...given]) {
    const at = one.indexOf('=');
    const name = at < 0 ? one : one.slice(0, at);
    const value = at < 0 ? env[name] : one.slice(at + 1);
    if (SECRET.test(name))
      throw new EdgeError('config.invalid', {
        ...{
          operation: 'start agent',
          subject: name,
          message: `--env ${name}: an agent does not get this token`,
        },
        hint: 'leave it out: the agent has the tools of its run without it',
      });
    if (value !== undefined) found[name] = value;
  }
  return found;
}

export function secondsOf(text: string, option: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw new EdgeError('config.invalid', {
    ...{ operation: 'start agent', subject: option },
    message: `${option}: expected seconds from 1 to 86400, found ${text}`,
  });
}

/** Throws what a person learns where the daemon will not have the runtime again. */
export function refusedWith(code: number, name: string): never {
  throw new EdgeError('runtime.refused', {
    ...{ operation: 'serve runs', subject: name },
    message: `the daemon closed the connection of runtime ${name} for good (${code})`,
    hint: code === 4426 ? 'update this program or the daemon' : `auraison runtimes show ${name}`,
  });
}
