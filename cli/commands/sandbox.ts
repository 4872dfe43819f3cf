import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import type { SandboxDoor } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

type RunOptions = { readonly env: string[]; readonly folder?: string; readonly api?: boolean };

/** Programs of others apart from this host. */
export function addSandboxCommands(program: Command): void {
  const sandbox = program
    .command('sandbox')
    .description('run programs of others with the files, network, memory and time of a profile')
    .addHelpText(
      'after',
      '\nProfiles are [[sandboxes]] of the configuration: docs/sandboxes.md.\n\nExamples:\n  auraison sandbox list\n  auraison sandbox run tools -- python3 server.py',
    );

  sandbox
    .command('list')
    .description('profiles of the configuration, each tried with a program that ends at once')
    .addHelpText('after', '\nExample:\n  auraison sandbox list --json')
    .action(
      action(async ({ settings, out }) => {
        const sandboxes = await open(settings);
        const profiles = await Promise.all(
          sandboxes.names.map(async (name) => ({ name, ...(await sandboxes.tryOut(name)) })),
        );
        out.result({ profiles }, () =>
          profiles.length === 0
            ? 'no profile: see [[sandboxes]] in docs/sandboxes.md'
            : table(
                ['profile', 'works', 'detail', 'fix'],
                profiles.map(({ name, ready, detail, fix }) => [name, ready ? 'yes' : 'NO', detail, fix]),
              ),
        );
        return profiles.every(({ ready }) => ready) ? 0 : 1;
      }),
    );

  const list = (value: string, before: string[]) => [...before, value];
  sandbox
    .command('run <profile> <command...>')
    .description('a program in the sandbox of a profile; its streams and exit code are those of this command')
    .option('--env <name>', 'variable, or NAME=value, that it gets; may be given several times', list, [])
    .option('--folder <directory>', 'where it is started; default /tmp, which is private')
    .option('--api', 'it may reach the API of this daemon, at the address that it has here')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison sandbox run tools -- python3 server.py\n  auraison runtimes list; auraison sandbox run coder --api --env AURAISON_RUNTIME_TOKEN -- node patrol.ts',
    )
    .action(
      action(async ({ settings }, name: string, command: string[], options: RunOptions) => {
        const { environment } = await import('../../daemon/compose/mcp.ts');
        const { endpointOf } = await import('../../daemon/client/api-client.ts');
        const sandboxes = await open(settings);
        const [file, ...args] = command as [string, ...string[]];
        const held = await sandboxes.prepare(name, {
          ...{ file: file === 'node' ? process.execPath : file, args },
          env: environment(['PATH', 'LANG', 'TERM', ...options.env], process.env),
          ...(options.folder === undefined ? {} : { folder: options.folder }),
          ...(options.api ? { doors: [doorTo(endpointOf(settings, '/').url)] } : {}),
        });
        try {
          return await ended(held);
        } finally {
          await held.release();
        }
      }),
    );
}

async function open(
  settings: Parameters<typeof import('../../daemon/compose/sandboxes.ts').makeSandboxes>[0],
) {
  const { makeSandboxes } = await import('../../daemon/compose/sandboxes.ts');
  const { SystemClock } = await import('../../adapters/clock/system-clock.ts');
  return makeSandboxes(settings, new SystemClock());
}

function doorTo({ hostname, port, protocol }: URL): SandboxDoor {
  const host = hostname.replace(/^\[|\]$/g, '');
  return { name: host, host, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
}

/** A signal to this command ends the program; the sandbox takes the rest with it. */
function ended({
  file,
  args,
  env,
  folder,
}: {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
}): Promise<number> {
  const child = spawn(file, [...args], { env: { ...env }, cwd: folder, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 137));
  });
}
