import { existsSync, readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import type { ConfigTrialEnd } from '../../contract/ports/config.ts';
import { textOfDraft } from '../../daemon/config/draft.ts';
import { describeFault, readConfig } from '../../daemon/config.ts';
import { configFileOf, dataDirOf, ownConfigFile } from '../../daemon/paths.ts';
import { daemonOf } from '../../daemon/supervisor/data-lock.ts';
import { replaceFile } from '../../io/replace-file.ts';
import { action, type GlobalOptions } from '../context.ts';
import { failWith, makeOutput } from '../output.ts';
import { reload } from './reload.ts';

const EXAMPLES = `
VALUE is as in TOML; quotes around a text may be left out. Comments and other keys of the file stay.

Examples:
  auraison config set lease.ttl "3 s"
  auraison config set api.host_names '["robot7.local"]' --reload
  auraison config unset lease.ttl`;

type EditOptions = GlobalOptions & { readonly reload?: boolean };

/** Single keys of the file on this host, and the end of a trial that the console started. */
export function addConfigSetCommands(config: Command): void {
  const reloading = () => new Option('--reload', 'let the running daemon take it at once');
  config
    .command('set <key> <value>')
    .description('set one key in the configuration file; a value that does not fit is refused')
    .addOption(reloading())
    .addHelpText('after', EXAMPLES)
    .action(
      async (key: string, value: string, _options, command: Command) =>
        await attempt(command.optsWithGlobals<EditOptions>(), key, value),
    );
  config
    .command('unset <key>')
    .description('remove one key from the configuration file: its default counts')
    .addOption(reloading())
    .addHelpText('after', '\nExample:\n  auraison config unset lease.ttl --reload')
    .action(
      async (key: string, _options, command: Command) =>
        await attempt(command.optsWithGlobals<EditOptions>(), key, undefined),
    );
  for (const [name, path, description] of [
    ['keep', 'keep', 'keep the configuration that the console took on trial'],
    ['put-back', 'put_back', 'end the trial of a configuration: the former one comes back'],
  ] as const)
    config
      .command(name)
      .description(description)
      .addHelpText('after', `\nExample:\n  auraison config ${name}`)
      .action(
        action(async ({ api, out }) => {
          const end = await api.post<ConfigTrialEnd>(`/v1/config/${path}`, {});
          out.result(end, () => `${end.outcome === 'kept' ? 'kept' : 'put back'}: ${end.keys.join(', ')}`);
          return 0;
        }),
      );
}

/** The file is edited as it is: what else is wrong in it does not stand in the way of one key. */
async function edit(options: EditOptions, key: string, value: string | undefined): Promise<number> {
  const out = makeOutput(options.json === true);
  const file = configFileOf(options.config, process.env, existsSync) ?? ownConfigFile(process.env);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const after =
    value === undefined ? textOfDraft(before, { set: [{ key }] }) : fitting(before, file, key, value);
  const changed = after !== before;
  if (changed)
    replaceFile(file, after, {
      operation: 'write configuration',
      mode: 0o644,
      hint: 'run it as the user who owns the file, or name another with --config',
    });
  const { config, faults } = readConfig(after, file, process.env);
  const left = faults.map(describeFault);
  for (const fault of left) out.note(`still wrong: ${fault}`);
  const dataDir = options.dataDir ?? dataDirOf(config, process.env);
  const answer = options.reload ? await reload(dataDir) : undefined;
  out.result({ file, key, changed, faults, ...(answer ? { reload: answer } : {}) }, () => {
    const done = changed
      ? `${file}: ${key} ${value === undefined ? 'is removed' : 'is set'}`
      : `${file}: no change`;
    if (answer) return `${done}; ${answer.ok ? 'the daemon takes it' : `not taken: ${answer.error.message}`}`;
    if (left.length > 0) return `${done}; the daemon takes the file when the rest is right too`;
    return changed && daemonOf(dataDir) ? `${done}; auraison reload takes it` : done;
  });
  return left.length > 0 || (answer && (!answer.ok || answer.failed.length > 0)) ? 1 : 0;
}

/** The text with this value, else with the value in quotes. Throws `config.invalid` with what is expected. */
function fitting(before: string, file: string, key: string, value: string): string {
  const wasRight = readConfig(before, file, process.env).faults.length === 0;
  const faults: string[] = [];
  for (const text of [value, JSON.stringify(value)]) {
    try {
      const after = textOfDraft(before, { set: [{ key, value: text }] });
      // In a file with faults only those of this key are new for certain.
      const fault = readConfig(after, file, process.env).faults.find((one) => wasRight || one.key === key);
      if (!fault) return after;
      faults.push(describeFault(fault));
    } catch (error) {
      // Quotes do not make a key known.
      if (!(error instanceof EdgeError) || text !== value || !error.hint.includes('quotes')) throw error;
    }
  }
  throw new EdgeError('config.invalid', {
    operation: 'set configuration',
    subject: key,
    message: faults[0] ?? `${value} does not fit ${key}`,
    hint: `auraison config show says what ${key} takes; the file is as it was`,
  });
}

async function attempt(options: EditOptions, key: string, value: string | undefined): Promise<void> {
  try {
    process.exitCode = await edit(options, key, value);
  } catch (error) {
    process.exitCode = failWith(error, options.json === true);
  }
}
