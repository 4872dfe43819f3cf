import { createServer } from 'node:net';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { installLocalModel, LOCAL_MODEL, serveCommand, whileServed } from '../../adapters/llama/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { apiClient } from '../../daemon/client/api-client.ts';
import { addRow, removeRow, setKeys, type TomlKeys } from '../../daemon/config/toml-edit.ts';
import { cacheDirOf } from '../../daemon/paths.ts';
import { isPortFree } from '../../daemon/port-check.ts';
import type { CommandContext } from '../context.ts';
import type { AddOptions } from './add-options.ts';
import { type ConfigFile, configFile, edited, rowOf, save } from './config-file.ts';
import { announce, modelsUp } from './daemon-news.ts';
import { type Trial, trialText, tryModel } from './trial.ts';

export type LocalOptions = { readonly port?: number; readonly installOnly?: boolean };

/** One thread of a loaded processor may take its time. */
const PATIENCE: TomlKeys = {
  ...{ silence: '30 s', probe_timeout: '5 s', first_token: '3 min', stall: '1 min', timeout: '5 min' },
};
const HOST = '127.0.0.1';

/**
 * Installs a small real model that runs on any processor, and has the daemon serve it: `[[models]]` and `[engine]`.
 * Ctrl-C cancels; what was loaded whole is kept for the next time.
 */
export async function addLocal(
  { settings, out }: CommandContext,
  options: AddOptions & LocalOptions,
): Promise<number> {
  const clock = new SystemClock();
  const abort = new AbortController();
  const onSignal = () => abort.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const file = configFile(settings);
    const name = options.name ?? 'local';
    if (!options.installOnly) refuseOther(file, name, options.replace === true);
    const model = await installLocalModel({
      cacheDir: cacheDirOf(process.env),
      python: settings.config.dataset.python || 'python3',
      ...{ clock, signal: abort.signal, note: (text) => out.note(`[llama] ${text}`) },
    });
    if (options.installOnly) {
      out.result(model, () => `${model.python} ${model.serve} ${model.weights}`);
      return 0;
    }
    const { checkRevision } = await import('../../adapters/vllm/engine/index.ts');
    const revision = await checkRevision(model.weights, '');
    const port = options.port ?? (await freePort());
    if (!(await isPortFree(HOST, port)))
      throw new EdgeError('host.port_in_use', {
        ...{ operation: 'models add', subject: String(port), message: `port ${port} is in use` },
        hint: 'choose another --port',
      });
    const row: TomlKeys = {
      ...{ name, url: `http://${HOST}:${port}/v1`, model: LOCAL_MODEL.id, context: LOCAL_MODEL.context },
      ...{ concurrency: LOCAL_MODEL.places, ...PATIENCE },
    };
    const engine: TomlKeys = {
      ...{ model_name: name, model: model.weights, revision, port, command: serveCommand(model) },
      start_timeout: '5 min',
    };
    const place = (keys: TomlKeys) =>
      withLocal(file, name, { ...row, ...keys }, engine, options.default === true);
    let after = place({});
    let trial: Trial | undefined;
    if (options.test) {
      out.note('trying it …');
      const tried = await whileServed(model, clock, (url) =>
        tryServed(place, name, url, settings.dataDir, options),
      );
      after = place(tried.keys);
      trial = tried.trial;
    }
    if (abort.signal.aborted) throw cancelled();
    save(file, after);
    const daemon = await announce(settings, name);
    if (daemon.state === 'taken') await modelsUp(apiClient(settings), (text) => out.note(text));
    const shown = { added: name, file: after.path, model: rowOf(after, name).row, daemon };
    out.result({ ...shown, ...(trial ? { test: trial } : {}) }, () =>
      [
        ...(trial ? [trialText(trial)] : []),
        `${name} is in ${after.path}; the daemon starts and watches its server on port ${port}`,
        daemon.text,
      ].join('\n'),
    );
    return 0;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Asked where it is served for the test, with the keys of the place that it gets. */
async function tryServed(
  place: (keys: TomlKeys) => ConfigFile,
  name: string,
  url: string,
  dataDir: string,
  { timeout }: AddOptions,
): Promise<{ readonly keys: TomlKeys; readonly trial: Trial }> {
  const as = (keys: TomlKeys) => tryModel({ ...rowOf(place(keys), name).row, url }, dataDir, timeout);
  const plain = await as({});
  if (plain.tool_call.ok) return { keys: {}, trial: plain };
  const keys = { json_mode: 'schema' };
  return { keys, trial: await as(keys) };
}

/** The daemon runs one server. */
function refuseOther({ config, path }: ConfigFile, name: string, replace: boolean): void {
  const served = config.engine.model_name;
  const taken = config.models.some((row) => row.name === name);
  if (replace || (!taken && served === '')) return;
  const message = taken
    ? `${path} has a model ${name} already`
    : `${path} has an [engine] for the model ${served}: a daemon runs one server`;
  const hint = taken ? 'choose another --name, or --replace' : '--replace runs the local model instead of it';
  throw new EdgeError('config.invalid', { operation: 'models add', subject: name, message, hint });
}

function withLocal(
  file: ConfigFile,
  name: string,
  row: TomlKeys,
  engine: TomlKeys,
  first: boolean,
): ConfigFile {
  const at = file.config.models.findIndex((one) => one.name === name);
  const rest = at < 0 ? file.source : removeRow(file.source, 'models', at);
  return edited(file, setKeys(addRow(rest, 'models', row, first || at === 0), 'engine', engine));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function cancelled(): EdgeError {
  return new EdgeError('run.cancelled', {
    ...{ operation: 'models add', subject: 'local', message: 'cancelled: the configuration is as it was' },
  });
}
