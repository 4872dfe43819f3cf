import type { Command } from 'commander';
import type { McpServerView } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';
import { addMcpInstallCommand } from './mcp-install.ts';

/** Foreign MCP servers as tools of agents, and this robot as an MCP server for programs that start one. */
export function addMcpCommands(program: Command): void {
  const mcp = program
    .command('mcp')
    .description('without a command: this robot as an MCP server on standard input and output')
    .addHelpText(
      'after',
      `
A client that starts its servers is given: command "auraison", args ["mcp"]. It speaks to the daemon of this
host; a daemon elsewhere is named by AURAISON_URL and AURAISON_TOKEN. See docs/mcp.md.

Examples:
  auraison mcp install claude            this robot as a server of Claude Code, in one line
  auraison mcp servers                   servers that agents may use, and their tools
  auraison mcp allow files               take its changed tools as they are now`,
    )
    .action(
      action(async ({ settings }) => {
        const { bridgeStdio } = await import('../../adapters/mcp/server/stdio-bridge.ts');
        const { endpointOf } = await import('../../daemon/client/api-client.ts');
        const { SystemClock } = await import('../../adapters/clock/system-clock.ts');
        return await bridgeStdio(() => endpointOf(settings, '/mcp'), new SystemClock());
      }),
    );

  addMcpInstallCommand(mcp);

  mcp
    .command('servers')
    .description('MCP servers that agents may use: state, tools, and why some are not offered')
    .addHelpText('after', '\nExamples:\n  auraison mcp servers\n  auraison mcp servers --json')
    .action(
      action(async ({ api, out }) => {
        const { servers } = await api.get<{ servers: McpServerView[] }>('/v1/mcp/servers');
        out.result({ servers }, () => text(servers));
        return 0;
      }),
    );

  mcp
    .command('allow <server> [tool]')
    .description('take what a server says of a tool (of all that wait or changed) as it is now')
    .addHelpText('after', '\nExamples:\n  auraison mcp allow files\n  auraison mcp allow files write_file')
    .action(
      action(async ({ api, out }, server: string, tool?: string) => {
        const path = `/v1/mcp/servers/${encodeURIComponent(server)}/allow`;
        const view = await api.post<McpServerView>(path, tool === undefined ? {} : { tool });
        out.result(view, () => text([view]));
        return 0;
      }),
    );

  mcp
    .command('refresh <server>')
    .description('start a server and ask it for its tools again')
    .addHelpText('after', '\nExample:\n  auraison mcp refresh files')
    .action(
      action(async ({ api, out }, server: string) => {
        const view = await api.post<McpServerView>(`/v1/mcp/servers/${encodeURIComponent(server)}/refresh`);
        out.result(view, () => text([view]));
        return 0;
      }),
    );
}

function text(servers: readonly McpServerView[]): string {
  if (servers.length === 0) return 'no MCP server is configured: see [[mcp.servers]] in docs/mcp.md';
  return servers.map(serverText).join('\n\n');
}

function serverText({
  server,
  kind,
  state,
  reason,
  version,
  pid,
  restarts,
  apps,
  tools,
}: McpServerView): string {
  const about = [
    `${server}: ${state}${reason === '' ? '' : ` (${reason})`}, ${kind}`,
    version,
    pid === undefined ? '' : `pid ${pid}`,
    restarts === 0 ? '' : `started again ${restarts} times`,
    apps.length === 0 ? 'no application may use it' : `for ${apps.join(', ')}`,
  ];
  const rows = tools.map((tool) => [tool.name ?? tool.tool, tool.effect, tool.state, tool.reason]);
  const head = about.filter((part) => part !== '').join(', ');
  return rows.length === 0
    ? `${head}\nno tools are known yet`
    : `${head}\n${table(['TOOL', 'EFFECT', 'STATE', 'WHY'], rows)}`;
}
