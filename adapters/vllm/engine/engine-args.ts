import { EdgeError } from '../../../contract/core.ts';

export type EngineCommand = {
  /** Program and arguments; `{model}`, `{revision}`, `{port}`, `{name}` are filled in. No shell reads it. */
  readonly command: readonly string[];
  readonly model: string;
  readonly revision: string;
  readonly port: number;
  readonly name: string;
  /** Variables that the engine gets: `NAME` as the daemon has it, or `NAME=value`. */
  readonly env: readonly string[];
};

/** What every program needs to run at all. Keys and tokens of the daemon are not among them. */
const ALWAYS = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'USER', 'XDG_CACHE_HOME'];

/** The words of the command, filled in. Throws `config.invalid` for an unknown placeholder. */
export function argvOf({ command, model, revision, port, name }: EngineCommand): readonly string[] {
  const values: Readonly<Record<string, string>> = { model, revision, port: String(port), name };
  // A folder is pinned here, by its digest; the server would not know what to do with it.
  const here = revision === '' || revision.startsWith('sha256:');
  const words = command.filter(
    (word, at) =>
      !here ||
      !(
        (word === '--revision' && command[at + 1] === '{revision}') ||
        (word === '{revision}' && command[at - 1] === '--revision')
      ),
  );
  return words.map((word) =>
    word.replaceAll(/\{([a-z_]+)\}/g, (whole, key: string) => {
      const value = Object.hasOwn(values, key) ? values[key] : undefined;
      if (value === undefined || value !== '') return value ?? whole;
      throw new EdgeError('config.invalid', {
        operation: 'start engine',
        subject: 'engine.command',
        message: `engine.command uses {${key}} and engine.${key} is empty`,
      });
    }),
  );
}

/** The environment of the engine: the configured variables, and those every program needs. */
export function envOf(
  { env }: Pick<EngineCommand, 'env'>,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ALWAYS) if (own[name] !== undefined) found[name] = own[name];
  for (const entry of env) {
    const at = entry.indexOf('=');
    if (at > 0) found[entry.slice(0, at)] = entry.slice(at + 1);
    else if (own[entry] !== undefined) found[entry] = own[entry];
  }
  return found;
}
