import { EdgeError } from '../../contract/core.ts';
import { addRow, removeRow, type TomlKeys } from '../../daemon/config/toml-edit.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Output } from '../output.ts';
import type { AddOptions } from './add-options.ts';
import { type ConfigFile, configFile, edited, rowOf, save } from './config-file.ts';
import { announce } from './daemon-news.ts';
import { draftOf } from './draft.ts';
import { forget, keep } from './keys.ts';
import { terminalAsk } from './terminal.ts';
import { type Trial, trialText, tryModel } from './trial.ts';

/** Adds one model: asks for what is missing, tries it, writes the file, lets the daemon take it. The exit code. */
export async function addModel(
  { settings, out }: { readonly settings: Settings; readonly out: Output },
  kind: string,
  options: AddOptions,
): Promise<number> {
  const file = configFile(settings);
  const ask = terminalAsk();
  const draft = await draftOf(kind, options, { settings, out, ask });
  const name = options.name ?? draft.name;
  const former = file.config.models.find((row) => row.name === name);
  if (former && !options.replace)
    throw new EdgeError('config.invalid', {
      operation: 'models add',
      subject: name,
      message: `${file.path} has a model ${name} already`,
      hint: 'choose another --name, or put this one in its place with --replace',
    });
  const reference = draft.key === undefined ? '' : keep(draft.key, name, settings.dataDir);
  let after: ConfigFile;
  let trial: Trial | undefined;
  try {
    const place = (keys: TomlKeys) => withRow(file, name, { name, ...keys }, options);
    const keys = { ...draft.keys, ...(reference === '' ? {} : { api_key_file: reference }) };
    after = place(keys);
    if (options.test) {
      const tried = await triedRow(after, name, keys, place, settings.dataDir, options.timeout, out);
      after = tried.file;
      trial = tried.trial;
    }
    save(file, after);
  } catch (thrown) {
    if (reference !== former?.api_key_file) forget(reference, name, settings.dataDir);
    throw thrown;
  }
  const { row } = rowOf(after, name);
  const limits = after.config.models.some(({ tools }) => tools) ? [] : [NO_TOOLS];
  const daemon = await announce(settings, name);
  out.result(
    { added: name, file: after.path, model: row, ...(trial ? { test: trial } : {}), limits, daemon },
    () =>
      [
        ...(trial ? [trialText(trial)] : []),
        `${name} is in ${after.path}: ${row.kind === 'pi' ? row.provider : row.url}, ${row.model}`,
        ...(reference !== '' && draft.key && 'fresh' in draft.key
          ? [`its key is in ${reference} (0600)`]
          : []),
        daemon.text,
        ...limits,
      ].join('\n'),
  );
  return 0;
}

const NO_TOOLS =
  'no agent can use it, since agents act by calling tools: auraison chat is not offered, and auraison ask understands ' +
  'the phrases of applications only (docs/chat.md); add a model that calls tools';

/** Tries it; a model that calls no tools as it is asked is asked by a schema, else it is marked as one without tools. */
async function triedRow(
  first: ConfigFile,
  name: string,
  keys: TomlKeys,
  place: (keys: TomlKeys) => ConfigFile,
  dataDir: string,
  timeoutMs: number,
  out: Output,
): Promise<{ readonly file: ConfigFile; readonly trial: Trial }> {
  out.note(`trying ${name} …`);
  const again = (file: ConfigFile) => tryModel(rowOf(file, name).row, dataDir, timeoutMs);
  let trial: Trial;
  try {
    trial = await again(first);
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'model.failed', 'models add', name);
    throw new EdgeError(error.code, {
      operation: 'models add',
      subject: name,
      message: `${error.message}; nothing was written`,
      hint: error.hint || '--no-test writes it anyway; --timeout gives it more time',
      cause: error,
    });
  }
  if (trial.tool_call.ok || keys['tools'] === false) return { file: first, trial };
  if (keys['kind'] !== 'pi') {
    const file = place({ ...keys, json_mode: 'schema' });
    const next = await again(file).catch(() => undefined);
    if (next?.tool_call.ok) return { file, trial: next };
  }
  out.note(`${name} calls no tools (${trial.tool_call.reason}): it is written with tools = false`);
  return { file: place({ ...keys, tools: false }), trial };
}

/** In the place of the former row of this name; else first or last. */
function withRow(file: ConfigFile, name: string, row: TomlKeys, options: AddOptions): ConfigFile {
  const at = file.config.models.findIndex((one) => one.name === name);
  const rest = at < 0 ? file.source : removeRow(file.source, 'models', at);
  const first = options.default === true || at === 0;
  return edited(file, addRow(rest, 'models', row, first));
}
