import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { isLoopbackHost } from '../../daemon/config/loopback.ts';
import { action, type CommandContext } from '../context.ts';
import { refusedWith, secondsOf } from './runtimes-acp.ts';
import { bridgeSecrets, credentialOf, SECRETS_OPTION } from './runtimes-secrets.ts';

type Options = {
  readonly agent: string[];
  readonly credential: string;
  readonly timeout: string;
  readonly secrets?: boolean;
};

/** Remote agents of the Agent2Agent protocol as runtimes. */
export function addA2aCommand(
  runtimes: Command,
  tokenOf: (context: CommandContext, name: string) => Promise<string>,
): void {
  runtimes
    .command('a2a <name> <url>')
    .description('execute runs with a remote agent of the Agent2Agent protocol (A2A)')
    .option(
      '--agent <name>',
      'agent that applications may ask for; may be given several times',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--credential <place>', 'what the agent is shown: a path, credential:NAME or env:NAME', '')
    .option(...SECRETS_OPTION)
    .option('--timeout <seconds>', 'an agent from which nothing comes for so long is left', '600')
    .addHelpText(
      'after',
      `
<name> is the runtime of [[runtimes.accept]], <url> the address of the agent or of its card. The answer of the agent is
the result of the run. It moves nothing: an agent that wants tools of its run asks as contract/A2A-TOOLS.md says, and
every call is judged. The daemon starts this itself where [[runtimes.accept]] has a2a = "URL".

Examples:
  auraison runtimes a2a planner https://planner.example --credential credential:planner
  auraison runtimes a2a planner http://127.0.0.1:9999/.well-known/agent-card.json`,
    )
    .action(
      action(async (context, name: string, url: string, options: Options) => {
        const { serveA2a } = await import('../a2a/serve-a2a.ts');
        const { endpointOf } = await import('../../daemon/client/api-client.ts');
        const secrets = await bridgeSecrets(options.secrets);
        const agentUrl = addressOf(secrets.url ?? url);
        const stop = new AbortController();
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
        const { AURAISON_RUNTIME_TOKEN } = process.env;
        const code = await serveA2a({
          url: () => endpointOf(context.settings, '/').url.href,
          token: secrets.token || AURAISON_RUNTIME_TOKEN || (await tokenOf(context, name)),
          agents: options.agent.length > 0 ? options.agent : ['*'],
          agentUrl,
          credential: credentialOf(secrets, options.credential),
          timeoutMs: secondsOf(options.timeout, '--timeout') * 1_000,
          say: (line) => process.stderr.write(`${line}\n`),
          signal: stop.signal,
        });
        return stop.signal.aborted ? 0 : refusedWith(code, name);
      }),
    );
}

function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const safe =
    parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopbackHost(parsed.hostname));
  if (parsed && safe) return parsed.href.replace(/\/$/, '');
  throw new EdgeError('config.invalid', {
    ...{ operation: 'find agent', subject: shownOf(url) },
    message: `expected an https address, or http to this host, found ${shownOf(url)}`,
  });
}

/** Without user and query, which may hold secrets. */
function shownOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url.slice(0, 64);
}
