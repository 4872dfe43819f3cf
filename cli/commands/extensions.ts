import type { Command } from 'commander';
import type { ExtensionView } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

type Answer = { readonly extensions: readonly ExtensionView[] };

export function addExtensionsCommands(program: Command): void {
  const extensions = program
    .command('extensions')
    .description('TypeScript modules that give agents tools, commands and hooks')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison extensions\n  auraison extensions reload turtlebot-maze\n  auraison extensions --json | jq \'.extensions[] | select(.state != "loaded")\'',
    )
    .action(action(async ({ api, out }) => show(await api.get<Answer>('/v1/extensions'), out)));
  extensions
    .command('list')
    .description('the same')
    .addHelpText('after', '\nExample:\n  auraison extensions list')
    .action(action(async ({ api, out }) => show(await api.get<Answer>('/v1/extensions'), out)));
  extensions
    .command('reload <application>')
    .description('read them again; active runs keep what they started with')
    .addHelpText('after', '\nExample:\n  auraison extensions reload turtlebot-maze')
    .action(
      action(async ({ api, out }, name: string) =>
        show(await api.post<Answer>(`/v1/extensions/${encodeURIComponent(name)}/reload`, {}), out),
      ),
    );
}

/** Exit code 1 if an extension is not in the requested state. */
function show(answer: Answer, out: { result(value: unknown, text: () => string): void }): number {
  out.result(answer, () => listText(answer.extensions));
  return answer.extensions.some(({ state, reason }) => state !== 'loaded' || reason !== '') ? 1 : 0;
}

function listText(all: readonly ExtensionView[]): string {
  if (all.length === 0)
    return 'no extensions: extensions/*.ts in the folder of an application, see docs/extensions.md';
  return table(
    ['APPLICATION', 'EXTENSION', 'STATE', 'TOOLS', 'COMMANDS', 'HOOKS', 'FAULTS', 'WHY'],
    all.map(({ app, extension, state, reason, tools, commands, hooks, faults }) => [
      app,
      extension,
      state,
      tools.join(' ') || '-',
      commands.map((name) => `/${name}`).join(' ') || '-',
      String(hooks.length),
      String(faults),
      reason.length > 80 ? `${reason.slice(0, 79)}…` : reason || '-',
    ]),
  );
}
