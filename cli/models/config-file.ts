import { existsSync, readFileSync } from 'node:fs';
import { canonicalJson, EdgeError } from '../../contract/core.ts';
import type { ModelRow } from '../../daemon/config/models.ts';
import { type Config, requireConfig, tomlOf } from '../../daemon/config.ts';
import { ownConfigFile } from '../../daemon/paths.ts';
import type { Settings } from '../../daemon/settings.ts';
import { replaceFile } from '../../io/replace-file.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The configuration file that commands write, as it is. A file that is not there yet is empty. */
export type ConfigFile = { readonly path: string; readonly source: string; readonly config: Config };

export function configFile(settings: Settings, env: Env = process.env): ConfigFile {
  const path = settings.file ?? ownConfigFile(env);
  const source = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return { path, source, config: requireConfig(source, path, env) };
}

/** The row of this name and its place in the list. Throws `model.not_found`. */
export function rowOf(
  { config, path }: ConfigFile,
  name: string,
): { readonly row: ModelRow; readonly at: number } {
  const at = config.models.findIndex((row) => row.name === name);
  const row = config.models[at];
  if (row) return { row, at };
  const known = config.models.map((one) => one.name).join(', ');
  throw new EdgeError('model.not_found', {
    operation: 'find model',
    subject: name,
    message: `${path} has no model ${name}`,
    hint: known === '' ? 'auraison models add --help' : `models: ${known}`,
  });
}

/**
 * The file with this edit, checked: nothing but `models` and `engine` differs, and the whole is correct. An edit that
 * would do more, for example since the list stands in one line, is refused: a person makes it.
 */
export function edited(file: ConfigFile, source: string, env: Env = process.env): ConfigFile {
  const config = requireConfig(source, file.path, env);
  const rest = (text: string) => {
    const { models: _, engine: __, ...others } = tomlOf(text) as Record<string, unknown>;
    return canonicalJson(
      JSON.parse(
        JSON.stringify(others, (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
      ),
    );
  };
  if (rest(source) === rest(file.source)) return { path: file.path, source, config };
  throw new EdgeError('config.invalid', {
    operation: 'edit configuration',
    subject: file.path,
    message: `${file.path} is written in a way that this command cannot edit`,
    hint: 'write its models as [[models]] tables, one key in a line',
  });
}

/** Writes it whole and durably, with the mode and the owner that it had; a file that changed meanwhile is not overwritten. */
export function save(before: ConfigFile, after: ConfigFile): void {
  const { path } = after;
  const now = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (now !== before.source)
    throw new EdgeError('config.invalid', {
      operation: 'write configuration',
      subject: path,
      message: `${path} was changed by somebody else in the meantime`,
      hint: 'run the command again',
    });
  replaceFile(path, after.source, {
    operation: 'write configuration',
    mode: 0o644,
    hint: 'run it as the user who owns the file, or name another with --config',
  });
}
