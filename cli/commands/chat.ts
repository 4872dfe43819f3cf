import type { Command } from 'commander';
import { type AppView, EdgeError } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import type { SessionBox } from '../chat/shown.ts';
import { talk } from '../chat/talk.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

type ChatOptions = {
  readonly session?: string;
  readonly say?: string;
  readonly params?: string;
  readonly plain?: boolean;
  readonly list?: boolean;
  readonly rpc?: boolean;
};

export function addChatCommand(program: Command): void {
  program
    .command('chat [app]')
    .description('talk with an agent: see it work, steer it, approve, stop it, and come back later')
    .option('--session <id>', 'continue this session')
    .option('--list', 'sessions, the newest first')
    .option('--say <text>', 'first words')
    .option('--params <json>', 'parameters of an agent that takes no words to open, as a JSON object')
    .option('--plain', 'lines of text, also at a terminal')
    .option('--rpc', 'commands and answers for a program, a JSON object a line')
    .addHelpText(
      'after',
      `
Without APP it is the general agent; APP is an application, or an intent of one, whose agent takes words. What you type
while the agent works counts before its next turn. /help lists the commands. Ctrl-C stops what the agent does, its motion
first; Ctrl-C again leaves. The session stays, continues what it does, and --session comes back to it.

Without a terminal it reads lines and ends when they are over and answered; --json prints a line of JSON for each token,
tool call, result, approval and state. --rpc takes commands as JSON too, as Pi's RPC mode does, and answers each.

Examples:
  auraison chat
  auraison chat --say "what do you see?"
  auraison chat --list
  auraison chat --session 019a51c2-0000-7000-8000-000000000000
  echo "where are you?" | auraison chat --json

Exit codes: 0 left, or the session succeeded; 1 it failed or could not be opened; 130 left before a stop had arrived.`,
    )
    .action(
      action(async ({ api, out }, app: string | undefined, options: ChatOptions) => {
        if (options.list === true) {
          const { sessions } = await api.get<{ sessions: SessionBox[] }>('/v1/sessions');
          out.result(sessions, () => listText(sessions));
          return 0;
        }
        const session =
          options.session === undefined
            ? undefined
            : await api.get<SessionBox>(`/v1/sessions/${encodeURIComponent(options.session)}`);
        const type = app === undefined || session ? undefined : await intentOf(api, app);
        const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
        return talk(api, {
          face:
            options.rpc === true
              ? 'rpc'
              : out.json
                ? 'json'
                : terminal && options.plain !== true
                  ? 'terminal'
                  : 'lines',
          opening: {
            ...(type === undefined ? {} : { type }),
            ...(options.params === undefined ? {} : { params: parsed(options.params) }),
          },
          ...(session ? { session } : {}),
          ...(options.say === undefined ? {} : { words: options.say }),
        });
      }),
    );
}

/** The intent that talks: the one named, `APP/chat`, or the only one that the application has. */
async function intentOf(api: ApiClient, app: string): Promise<string> {
  if (app.includes('/')) return app;
  const { apps } = await api.get<{ apps: AppView[] }>('/v1/apps');
  const found = apps.find(({ name, state }) => name === app && state === 'loaded');
  const chosen = found?.intents.find((type) => type === `${app}/chat`) ?? found?.intents[0];
  if (found && chosen !== undefined && (found.intents.length === 1 || chosen.endsWith('/chat')))
    return chosen;
  const off = apps.find(({ name }) => name === app);
  throw new EdgeError('schema.invalid', {
    operation: 'chat',
    subject: app,
    message: found
      ? `${app} has several intents: ${found.intents.join(', ')}`
      : `there is no application ${app}${off ? `: ${off.reason}` : ''}`,
    hint: found ? `name one, for example auraison chat ${found.intents[0]}` : 'auraison app list',
  });
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // reported below
  }
  throw new EdgeError('schema.invalid', {
    operation: 'chat',
    subject: '--params',
    message: '--params is not a JSON object',
    hint: `for example --params '{"words": "hello"}'`,
  });
}

function listText(sessions: readonly SessionBox[]): string {
  if (sessions.length === 0) return 'no sessions';
  return table(
    ['SESSION', 'STATE', 'AGENT', 'FIRST WORDS'],
    sessions.map(({ session_id, state, details: { app, intent } }) => [
      session_id,
      state,
      app,
      String(intent.params['words'] ?? '').slice(0, 60),
    ]),
  );
}
