import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  type CellContext,
  type Clock,
  CONFIG_LIMITS,
  type ConfigApi,
  type ConfigChange,
  type ConfigTextFault,
  EdgeError,
  TOPICS,
  withDeadline,
} from '../../contract/core.ts';
import type { ConfigDraft } from '../../contract/ports/config.ts';
import { type Config, type ConfigFault, describeFault, readConfig } from '../config.ts';
import type { Settings } from '../settings.ts';
import { planReload } from '../supervisor/reload-plan.ts';
import { textOfDraft } from './draft.ts';
import { differences, explain, overridden, type Read } from './explain.ts';
import { hiddenFault } from './hidden.ts';
import { type NamedPath, namedPaths } from './on-host.ts';
import { sandboxWarnings } from './sandboxes.ts';
import { Taking } from './taking.ts';
import { digestOf, textAt } from './trial.ts';

type Env = Readonly<Record<string, string | undefined>>;
const PASTED = 'text';

export type DeskParts = Pick<CellContext, 'bus' | 'emit'> & {
  readonly clock: Clock;
  /** Where the file would be, for a host without one. */
  readonly usualFile: string;
  /** Has the daemon read its file again. */
  reload(): void;
  newId(): string;
};

/** The configuration as the API shows and takes it: that of the daemon, also after a reload. */
export function makeConfigDesk({ config, file, dataDir }: Settings, parts: DeskParts, env: Env): ConfigApi {
  const { bus, clock, usualFile } = parts;
  const path = file ?? usualFile;
  let running = config;
  const now = () => readNow(path, file !== undefined, running, env);
  const check = async (draft: ConfigDraft) => {
    const was = textAt(path) ?? '';
    const none = { seen: digestOf(was), differences: [], plan: { restart: [], live: [], later: [] } };
    const { text, fault } = drafted(was, draft);
    if (fault) return { ok: false, faults: [fault], more: false, warnings: [], ...none };
    requireSize(text);
    const { config: after, faults } = readPasted(text, env);
    if (faults.length > 0) {
      const listed = faults.slice(0, CONFIG_LIMITS.TEXT_FAULTS_MAX).map(shown);
      const more = faults.length >= CONFIG_LIMITS.TEXT_FAULTS_MAX;
      return { ok: false, faults: listed, more, warnings: [], ...none };
    }
    const onHost = await absent(namedPaths(after, text), after, clock);
    const { read } = await now();
    const { restart, live, later } = planReload(running, after);
    return {
      ok: onHost.length === 0,
      faults: onHost.slice(0, CONFIG_LIMITS.TEXT_FAULTS_MAX),
      more: onHost.length > CONFIG_LIMITS.TEXT_FAULTS_MAX,
      warnings: [...sandboxWarnings(after), ...overridden(text, env)],
      seen: none.seen,
      differences: differences(running, read, { source: text, config: after }, env),
      plan: { restart, live, later },
    };
  };
  const taking = new Taking({
    ...{ file: path, dataDir, clock, check },
    allowed: () => running.api.take_config,
    reload: () => parts.reload(),
    append: (events) => parts.emit(events),
    newId: () => parts.newId(),
  });
  bus.onBroadcast(TOPICS.configChanged, (body) => {
    running = (body as ConfigChange).config as Config;
    void taking.tell();
  });
  taking.resume();
  return {
    async view() {
      const { read, fault } = await now();
      return {
        ...(file === undefined && textAt(path) === undefined ? {} : { file: path }),
        ...(fault === undefined ? {} : { file_fault: fault }),
        ...explain(running, read, env),
      };
    },
    check,
    taking: () => taking.taking(),
    take: (draft, how) => taking.take(draft, how),
    settle: (keep, by) => taking.settle(keep, by),
  };
}

/** The file as it is now. Where it is gone or has faults, nothing of it counts: values have no text then. */
async function readNow(
  file: string,
  isNamed: boolean,
  running: Config,
  env: Env,
): Promise<{ readonly read: Read; readonly fault?: string }> {
  if (!isNamed && textAt(file) === undefined)
    return { read: { source: '', config: readConfig('', '(defaults)', env).config } };
  const lost = (fault: string) => ({ read: { source: '', config: running }, fault });
  let source: string;
  try {
    source = await readFile(file, 'utf8');
  } catch (cause) {
    return lost(`${file}: ${(cause as Error).message}`);
  }
  const { config, faults } = readConfig(source, file, env, CONFIG_LIMITS.TEXT_FAULTS_MAX);
  const [first] = faults;
  if (!first) return { read: { source, config } };
  const told = describeFault({ ...first, value: hiddenFault(first.key, first.value) });
  return lost(`${told}${faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''}`);
}

function readPasted(text: string, env: Env): { config: Config; faults: readonly ConfigFault[] } {
  try {
    return readConfig(text, PASTED, env, CONFIG_LIMITS.TEXT_FAULTS_MAX);
  } catch (thrown) {
    // Tables within tables without end: no reader of this daemon goes that deep.
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new EdgeError('schema.invalid', {
      operation: 'check configuration',
      subject: 'text',
      message: 'the text nests tables deeper than any configuration does',
      hint: 'no key has more than three parts',
    });
  }
}

/** The text of a draft; the fault of a key that cannot be set alone. */
function drafted(
  was: string,
  draft: ConfigDraft,
): { readonly text: string; readonly fault?: ConfigTextFault } {
  try {
    return { text: textOfDraft(was, draft) };
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== 'config.invalid') throw error;
    const { subject: key, message, hint } = error;
    return { text: '', fault: { key, value: '', expected: `${hint} (${message})` } };
  }
}

function requireSize(text: string): void {
  const lines = text.split('\n', CONFIG_LIMITS.TEXT_LINES_MAX + 1).length;
  if (text.length <= CONFIG_LIMITS.TEXT_CHARS_MAX && lines <= CONFIG_LIMITS.TEXT_LINES_MAX) return;
  throw new EdgeError('limit.exceeded', {
    operation: 'check configuration',
    subject: 'text',
    message: `a configuration of at most ${CONFIG_LIMITS.TEXT_CHARS_MAX} characters and ${CONFIG_LIMITS.TEXT_LINES_MAX} lines is checked here`,
    hint: 'auraison config check FILE checks a longer one',
  });
}

function shown({ line, key, value, expected, file }: ConfigFault): ConfigTextFault {
  const place = file === PASTED ? expected : `${expected} (${file} of the daemon)`;
  return { ...(line === undefined ? {} : { line }), key, value: hiddenFault(key, value), expected: place };
}

/**
 * What the text names and this host lacks. Only asks what stands at a path: nothing is opened, so a device or a pipe
 * holds nothing up. A path of a file system that does not answer is left out.
 */
async function absent(
  paths: readonly NamedPath[],
  { daemon }: Config,
  clock: Clock,
): Promise<readonly ConfigTextFault[]> {
  const data: NamedPath[] =
    daemon.data_dir === ''
      ? []
      : [{ key: 'daemon.data_dir', path: daemon.data_dir, line: undefined, what: 'folder' }];
  const looks = [
    ...data.map(async (one) => await dataFault(one)),
    ...paths.map(async (one) => await pathFault(one)),
  ];
  const answers = await withDeadline(
    clock,
    CONFIG_LIMITS.LOOK_MS,
    Promise.all(looks),
    'look for named files',
    'files of the configuration',
  ).catch((): readonly undefined[] => []);
  return answers.flatMap((fault) => (fault === undefined ? [] : [fault]));
}

async function pathFault({ key, path, line, what }: NamedPath): Promise<ConfigTextFault | undefined> {
  const common = { ...(line === undefined ? {} : { line }), key, value: JSON.stringify(path) };
  try {
    const found = await stat(path);
    const fits = what === 'file' ? found.isFile() : found.isDirectory();
    return fits ? undefined : { ...common, expected: `a ${what}: what stands there is not one` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? {
          ...common,
          expected: `a ${what} that is there${path.startsWith('/') ? '' : ' (better an absolute path)'}`,
        }
      : undefined;
  }
}

/** The daemon makes it: the closest folder above it that is there has to be one. */
async function dataFault({ key, path }: NamedPath): Promise<ConfigTextFault | undefined> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => error);
    if (!(found instanceof Error))
      return found.isDirectory()
        ? undefined
        : {
            key,
            value: JSON.stringify(path),
            expected: `a directory that can be made here: ${at} is a file`,
          };
    if (found.code !== 'ENOENT' || dirname(at) === at) return undefined;
  }
}
