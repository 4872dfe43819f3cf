import { join } from 'node:path';
import type { Command } from 'commander';
import { action, type GlobalOptions } from '../context.ts';
import type { Installed, InstallOptions } from '../mcp/install.ts';
import { toJson } from '../output.ts';

/** Where this checkout or package has the command, for a client that does not find it on its PATH. */
const SCRIPT = join(import.meta.dirname, '..', '..', 'bin', 'auraison');

export function addMcpInstallCommand(mcp: Command): void {
  mcp
    .command('install <client>')
    .description(
      'add this robot to claude, claude-desktop, cursor, vscode, gemini or windsurf as an MCP server',
    )
    .option('--name <name>', 'what the client calls the server', 'robot')
    .option('--project', "the client's file in this folder, not the one of this person")
    .option('--print', 'show the entry and the file, and write nothing')
    .option('--remove', 'take the entry out again')
    .addHelpText(
      'after',
      `
The client then starts "auraison mcp", which speaks to the daemon of this host, or to the one of AURAISON_URL. No
token is written into the file. What was in the file stays; the file before is kept beside it.

Examples:
  auraison mcp install claude            .mcp.json of this folder, for Claude Code
  auraison mcp install cursor
  auraison mcp install vscode --project --name robot-7
  auraison mcp install claude --print
  auraison mcp install cursor --remove`,
    )
    .action(
      action(async ({ out }, name: string, options: InstallOptions, command: Command) => {
        const { clientOf, entryOf, install, placesOf } = await import('../mcp/install.ts');
        const client = clientOf(name);
        const entry = entryOf(command.optsWithGlobals<GlobalOptions>(), process.env, SCRIPT);
        const done = await install(client, placesOf(), entry, options);
        out.result(done, () => text(done, client));
        const { AURAISON_URL: url, AURAISON_TOKEN: token } = process.env;
        if (url && token && done.state !== 'printed' && !options.remove)
          out.note(`AURAISON_TOKEN is not written: set it where ${client.title} starts`);
        return 0;
      }),
    );
}

function text(
  { path, name, entry, state, backup, next }: Installed,
  { title, key }: { readonly title: string; readonly key: string },
): string {
  if (state === 'printed') return `${toJson({ [key]: { [name]: entry } }, 2)}\n${next}`;
  const lines = [
    state === 'removed' || state === 'was not there'
      ? `${title}: ${name} ${state === 'removed' ? 'is taken out of' : 'was not in'} ${path}`
      : `${title}: ${name} ${state === 'as it was' ? 'stands already in' : 'is now in'} ${path}`,
    ...(backup === undefined ? [] : [`the file before: ${backup}`]),
    ...(next === '' ? [] : [`next: ${next}`]),
  ];
  return lines.join('\n');
}
