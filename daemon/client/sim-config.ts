import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventPayload } from '../../contract/core.ts';
import { tomlOf, tomlText } from '../config.ts';
import type { Settings } from '../settings.ts';

type SimWorld = NonNullable<EventPayload<'cell.started'>['sim']>;

/** What of a configuration decides how a run goes. Nothing else of it is heard of: no middleware, no server, no key. */
const SECTIONS = ['robot', 'sim', 'control', 'apps', 'model', 'models', 'policy', 'tools', 'runs'];
const KEPT = new RegExp(`^AURAISON_(CACHE$|(${SECTIONS.join('|').toUpperCase()})_)`);

/** The configuration of a daemon that meets nothing but a simulation; answers its path. */
export function writeSimConfig({ file }: Settings, folder: string): string {
  const table = file === undefined ? {} : (tomlOf(readFileSync(file, 'utf8')) as Record<string, unknown>);
  const kept = Object.fromEntries(Object.entries(table).filter(([name]) => SECTIONS.includes(name)));
  const path = join(folder, 'replay.toml');
  writeFileSync(path, tomlText(kept), { mode: 0o600 });
  return path;
}

/** Its environment: that of this process without what would lead it to others. Undefined: not there. */
export function simEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  dataDir: string,
  world: SimWorld | undefined,
): Record<string, string | undefined> {
  const hidden = Object.keys(inherited).filter((name) => name.startsWith('AURAISON_') && !KEPT.test(name));
  const made = Object.entries(world ?? {}).map(([key, value]) => [
    `AURAISON_SIM_${key.toUpperCase()}`,
    String(value),
  ]);
  return {
    ...Object.fromEntries(hidden.map((name) => [name, undefined])),
    ...Object.fromEntries(made),
    AURAISON_DAEMON_DATA_DIR: dataDir,
    AURAISON_ROBOT_SOURCE: 'sim',
    AURAISON_API_HOST: '127.0.0.1',
    AURAISON_API_PORT: '0',
    AURAISON_API_AUTH: 'token',
    AURAISON_ZENOH_ENABLED: 'false',
    AURAISON_RECORDER_ENABLED: 'false',
    AURAISON_RUNS_AUTO_START: '',
  };
}
