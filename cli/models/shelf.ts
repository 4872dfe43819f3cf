import { EdgeError } from '../../contract/core.ts';
import { nobodyListens } from '../../daemon/client/api-client.ts';
import type { ModelRow } from '../../daemon/config/models.ts';
import { moveRowFirst, removeRow, removeTable } from '../../daemon/config/toml-edit.ts';
import { loginsFile } from '../../daemon/paths.ts';
import type { CommandContext } from '../context.ts';
import { configFile, edited, rowOf, save } from './config-file.ts';
import { announce } from './daemon-news.ts';
import { forget } from './keys.ts';
import { providerId } from './kinds.ts';
import { login } from './login.ts';
import { terminalAsk } from './terminal.ts';

/** A model of the daemon, as its API shows it. */
export type Model = {
  readonly name: string;
  readonly model_id: string;
  readonly url: string;
  readonly state: string;
  readonly reason: string;
  readonly failures_in_row: number;
  readonly running: number;
  readonly waiting: number;
  readonly places: number;
  readonly server_waiting?: number;
  readonly calls: number;
  readonly failures: number;
  readonly cost_usd: number;
  readonly first_token_ms?: number;
  readonly tokens_per_second?: number;
};

/** The models of the running daemon; undefined where none runs. */
export async function liveModels({ api }: CommandContext): Promise<readonly Model[] | undefined> {
  try {
    return (await api.get<{ models: Model[] }>('/v1/models')).models;
  } catch (thrown) {
    const away = thrown instanceof EdgeError && (nobodyListens(thrown) || thrown.code === 'cell.unavailable');
    if (away) return undefined;
    throw thrown;
  }
}

/** One model as configured, and as the running daemon sees it. */
export async function showModel(context: CommandContext, name: string): Promise<number> {
  const file = configFile(context.settings);
  const { row, at } = rowOf(file, name);
  const live = (await liveModels(context))?.find((one) => one.name === name);
  context.out.result({ file: file.path, default: at === 0, model: row, ...(live ? { live } : {}) }, () =>
    [
      `${name}${at === 0 ? ' (asked first)' : ''}, from ${file.path}`,
      ...Object.entries(row).map(([key, value]) => `  ${key.padEnd(14)} ${shown(value)}`),
      live
        ? `  now            ${live.state}${live.reason === '' ? '' : `: ${live.reason}`}, ${live.calls} calls`
        : '  now            no daemon has it',
    ].join('\n'),
  );
  return 0;
}

/** The model that is asked first where nothing else is said. */
export async function setDefault({ settings, out }: CommandContext, name: string): Promise<number> {
  const file = configFile(settings);
  const { at } = rowOf(file, name);
  if (at > 0) save(file, edited(file, moveRowFirst(file.source, 'models', at)));
  const daemon = await announce(settings, name);
  out.result({ default: name, file: file.path, daemon }, () => `${name} is asked first; ${daemon.text}`);
  return 0;
}

/** Takes a model out, with the key that was kept for it and the server that this daemon runs for it. */
export async function removeModel({ settings, out }: CommandContext, name: string): Promise<number> {
  const file = configFile(settings);
  const { row, at } = rowOf(file, name);
  const served = file.config.engine.model_name === name;
  const without = removeRow(file.source, 'models', at);
  save(file, edited(file, served ? removeTable(without, 'engine') : without));
  const forgotten = forget(row.api_key_file, name, settings.dataDir);
  const daemon = await announce(settings, name, true);
  out.result({ removed: name, file: file.path, key_removed: forgotten, engine_removed: served, daemon }, () =>
    [
      `${name} is out of ${file.path}${forgotten ? ', its key too' : ''}${served ? ', its [engine] too' : ''}`,
      daemon.text,
    ].join('\n'),
  );
  return 0;
}

export async function loginCommand({ settings, out }: CommandContext, name: string): Promise<number> {
  const id = providerId(name);
  await login(id, loginsFile(settings.dataDir), { ask: terminalAsk(), out });
  out.result({ provider: id, logged_in: true }, () => `logged in at ${id}; auraison models add ${name}`);
  return 0;
}

export async function logoutCommand({ settings, out }: CommandContext, name: string): Promise<number> {
  const { logoutAt } = await import('../../adapters/pi/providers.ts');
  const { SystemClock } = await import('../../adapters/clock/system-clock.ts');
  const id = providerId(name);
  await logoutAt(id, loginsFile(settings.dataDir), new SystemClock());
  out.result({ provider: id, logged_in: false }, () => `the login at ${id} is forgotten on this host`);
  return 0;
}

/** Configured models as the list shows them where no daemon runs. */
export function configured(rows: readonly ModelRow[]): Model[] {
  return rows.map(({ name, model, url, provider, concurrency }) => ({
    ...{ name, model_id: model, url: url || `${provider}:`, state: 'unknown', reason: 'no daemon runs' },
    ...{
      failures_in_row: 0,
      running: 0,
      waiting: 0,
      places: concurrency,
      calls: 0,
      failures: 0,
      cost_usd: 0,
    },
  }));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}
