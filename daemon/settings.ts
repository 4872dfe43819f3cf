import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { EdgeError, type Nanoseconds, toWireTime } from '../contract/core.ts';
import { type Config, requireConfig } from './config.ts';
import { configFileOf, dataDirOf } from './paths.ts';

/** What every process of the daemon is given: the configuration as read, and where things are. */
export type Settings = {
  readonly config: Config;
  readonly dataDir: string;
  readonly file: string | undefined;
  /** Which start of the daemon this is; not there before it starts. */
  readonly start?: DaemonStart;
};

export type DaemonStart = {
  /** No other start has it: the clock of a host may start again at each boot. */
  readonly name: string;
  /** Wire time. */
  readonly ts: string;
  /** `runs.auto_start` as it was then: a reload is no start. */
  readonly autoStart: string;
};

export function newStart(now: Nanoseconds, autoStart: string): DaemonStart {
  return { name: randomBytes(8).toString('hex'), ts: toWireTime(now), autoStart };
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the configuration once; throws one error that lists every fault. */
export function loadSettings(flag: string | undefined, env: Env): Settings {
  const file = configFileOf(flag, env, existsSync);
  const config = requireConfig(file === undefined ? '' : readSource(file), file ?? '(defaults)', env);
  if (config.api.auth === 'none' && !isLoopback(config.api.host)) {
    throw new EdgeError('config.invalid', {
      operation: 'read configuration',
      subject: file ?? '(defaults)',
      message: `api.auth = "none" with api.host = "${config.api.host}": without a token the API stays on loopback`,
      hint: 'set api.auth = "token", or api.host = "127.0.0.1"',
    });
  }
  return { config, dataDir: dataDirOf(config, env), file };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function readSource(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new EdgeError('config.unreadable', {
      operation: 'read configuration',
      subject: file,
      message: `${file}: ${(cause as Error).message}`,
      hint: 'name a readable file with --config or AURAISON_CONFIG',
      cause,
    });
  }
}
