import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAside, checkPackagePolicies } from '../../adapters/cedar/index.ts';
import type { McpServerConfig, McpServers } from '../../adapters/mcp/index.ts';
import { builtInView, ModuleGuard, watchedStamp } from '../../adapters/packages/index.ts';
import type { Sandboxes } from '../../adapters/sandbox/index.ts';
import {
  type Application,
  type AppManifest,
  type CellContext,
  type ConfigChange,
  durationMs,
  TOPICS,
} from '../../contract/index.ts';
import { onStray } from '../cell/stray-errors.ts';
import { type Config, tomlOf } from '../config.ts';
import { Packages } from '../runtime/packages/packages.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';
import { makePackageShelf } from './package-reader.ts';
import { sandboxed } from './sandboxes.ts';
import { loadRules } from './shelf-rules.ts';

const CALL_MS = 30_000;
const IDLE_MS = 600_000;
const RESULT_BYTES = 64 * 1024;

/** Application packages in the runtime cell: read at start, read again when they change. */
export function makePackages(
  settings: Settings,
  context: CellContext,
  builtIn: readonly Application[],
  sandboxes: Sandboxes,
): Packages {
  const { config, dataDir } = settings;
  const check = checkAside(context.clock);
  const guard = ModuleGuard.of(context, () => void packages.reloadApps().catch(() => {}));
  onStray((thrown, origin) => guard.takesStray(thrown, origin));
  let { models } = config;
  // Before the packages are read again for the same change.
  context.bus.onBroadcast(TOPICS.configChanged, (body) => {
    models = ((body as ConfigChange).config as Config).models;
  });
  const rules = loadRules({ config, modelsNow: () => models });
  const packages: Packages = new Packages({
    ...{ context, builtIn, builtInView, guard },
    shelf: makePackageShelf(settings, builtIn, guard.rules(rules), (files) =>
      checkPackagePolicies(files, check),
    ),
    watch: config.apps.watch,
    stamp: () => watchedStamp(config.apps.dirs, dataDir),
    servers: (app) => packageMcp(app, settings, context, sandboxes),
  });
  return packages;
}

/** The MCP servers that a package brings, not started; undefined: none. Its files were checked when it was read. */
async function packageMcp(
  app: Application,
  { config, dataDir }: Settings,
  context: CellContext,
  sandboxes: Sandboxes,
): Promise<McpServers | undefined> {
  const { folder } = app;
  if (folder === undefined) return undefined;
  const { mcp: rows = [] } = tomlOf(readFileSync(join(folder, 'app.toml'), 'utf8')) as AppManifest;
  const configs = rows.map((row) => configOf(row, folder, config.apps.sandbox, sandboxes));
  if (configs.length === 0) return undefined;
  if (config.apps.sandbox === '' && rows.some(({ command }) => command !== undefined))
    context.report('warn', `MCP servers of ${app.name} run without a sandbox`, {
      hint: 'set apps.sandbox to one of [[sandboxes]], or to "none"',
    });
  const mcp = await import('../../adapters/mcp/index.ts');
  return new mcp.McpServers({
    clock: context.clock,
    // What its tools are is remembered by name of the package: a new version is seen against the former.
    dataDir: join(dataDir, 'apps', 'mcp', app.name),
    version: VERSION,
    configs,
    report: context.report,
    degraded: (error) =>
      context.report('error', `an MCP server of ${app.name}: ${error.message}`, { code: error.code }),
    recovered: (subject) => context.report('info', `an MCP server of ${app.name} is back`, { subject }),
  });
}

type Row = NonNullable<AppManifest['mcp']>[number];

function configOf(row: Row, folder: string, sandbox: string, sandboxes: Sandboxes): McpServerConfig {
  const { name, command, args = [], url, allow, deadline, effect } = row;
  const deadlineMs = deadline === undefined ? CALL_MS : durationMs(deadline);
  const own = (text: string) => (text.startsWith('./') ? join(folder, text.slice(2)) : text);
  const started = {
    file: command === 'node' ? process.execPath : own(command ?? ''),
    args: args.map(own),
    // Nothing of the daemon's environment but what programs need to be found.
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, LANG: process.env['LANG'] ?? 'C.UTF-8' },
    folder,
  };
  const held = sandboxed(sandboxes, sandbox, { ...started, readOnly: [folder] });
  return {
    name,
    ...(command === undefined
      ? { http: { url: url! } }
      : { command: { ...started, ...(held === undefined ? {} : { sandboxed: held }) } }),
    apps: ['*'],
    allow: allow ?? ['*'],
    deny: [],
    rules: effect === undefined ? [] : [{ tools: ['*'], effect, replay: 'never', deadlineMs }],
    deadlineMs,
    resultBytesMax: RESULT_BYTES,
    trust: 'first_use',
    elicitation: 'refuse',
    idleMs: IDLE_MS,
  };
}
