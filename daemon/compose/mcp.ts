import type { McpServerConfig, McpServers } from '../../adapters/mcp/index.ts';
import type { CellContext } from '../../contract/core.ts';
import type { McpServerRow } from '../config/mcp.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';

/** Foreign MCP servers as tools; undefined where none is configured: then nothing of it is loaded. */
export async function makeMcpServers(
  { config, dataDir }: Settings,
  context: CellContext,
): Promise<McpServers | undefined> {
  if (config.mcp.servers.length === 0) return undefined;
  const mcp = await import('../../adapters/mcp/index.ts');
  const emit = (events: Parameters<CellContext['emit']>[0]) =>
    void context.emit(events).catch((error: Error) => {
      context.report('error', 'what became of an MCP server could not be logged', { error: error.message });
    });
  return new mcp.McpServers({
    clock: context.clock,
    dataDir,
    version: VERSION,
    configs: config.mcp.servers.map((row) => serverConfig(row, dataDir, process.env)),
    report: context.report,
    degraded: (error) => emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]),
    recovered: (subject) => emit([{ kind: 'cell.recovered', payload: { subject } }]),
  });
}

type Env = Readonly<Record<string, string | undefined>>;

/** A row of the configuration with its environment; secrets are read when they are used, and may be replaced. */
export function serverConfig(row: McpServerRow, dataDir: string, env: Env): McpServerConfig {
  const secret = (key: 'token_file' | 'oauth_secret_file') => () =>
    readSecret(row[key], `mcp.servers.${row.name}.${key}`, env) ?? '';
  return {
    name: row.name,
    ...(row.command === ''
      ? {
          http: {
            url: row.url,
            ...(row.token_file === '' ? {} : { token: secret('token_file') }),
            ...(row.oauth_client_id === ''
              ? {}
              : { client: { id: row.oauth_client_id, secret: secret('oauth_secret_file') } }),
          },
        }
      : {
          command: {
            file: row.command,
            args: row.args,
            env: environment(row.env, env),
            folder: row.folder || dataDir,
          },
        }),
    apps: row.apps,
    allow: row.allow,
    deny: row.deny,
    rules: row.rules.map(({ tools, effect, replay, deadline }) => ({
      tools,
      effect,
      replay,
      deadlineMs: deadline,
    })),
    deadlineMs: row.deadline,
    resultBytesMax: row.result_size,
    trust: row.trust,
    elicitation: row.elicitation,
    idleMs: row.idle_stop,
  };
}

/** Only what is named: the daemon's own token and credentials stay with the daemon. */
function environment(names: readonly string[], env: Env): Record<string, string> {
  const given: Record<string, string> = {};
  for (const one of names) {
    const at = one.indexOf('=');
    const name = at < 0 ? one : one.slice(0, at);
    const value = at < 0 ? env[name] : one.slice(at + 1);
    if (value !== undefined) given[name] = value;
  }
  return given;
}
