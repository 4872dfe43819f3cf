import {
  type Clock,
  EdgeError,
  type McpServers as McpServersPort,
  type McpServerView,
  type Tool,
} from '../../contract/index.ts';
import { McpServer, type McpServerParts } from './mcp-server.ts';
import type { McpServerConfig } from './server-config.ts';
import { ToolPins } from './tool-pins.ts';

export type McpServersParts = Pick<
  McpServerParts,
  'clock' | 'version' | 'report' | 'degraded' | 'recovered'
> & {
  readonly clock: Clock;
  readonly dataDir: string;
  readonly configs: readonly McpServerConfig[];
};

/** All foreign MCP servers of one daemon. Costs nothing but their pins until one is needed. */
export class McpServers implements McpServersPort {
  readonly #servers: ReadonlyMap<string, McpServer>;
  readonly #apps: ReadonlyMap<string, readonly string[]>;

  constructor(parts: McpServersParts) {
    const { configs, dataDir, ...shared } = parts;
    this.#servers = new Map(
      configs.map((config) => [
        config.name,
        new McpServer({ ...shared, config, pins: new ToolPins(dataDir, config.name) }),
      ]),
    );
    this.#apps = new Map(configs.map((config) => [config.name, config.apps]));
  }

  /** In the background; never fails. */
  start(): void {
    for (const server of this.#servers.values()) server.begin();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
  }

  /** Tools that the configuration gives to an application. */
  tools(app: string): readonly Tool[] {
    return [...this.#servers.values()].flatMap((server) =>
      this.#apps.get(server.name)!.some((name) => name === app || name === '*') ? server.tools() : [],
    );
  }

  servers(): readonly McpServerView[] {
    return [...this.#servers.values()].map((server) => server.view());
  }

  async allow(name: string, tool?: string): Promise<McpServerView> {
    const server = this.#find(name);
    await server.allow(tool);
    return server.view();
  }

  async refresh(name: string): Promise<McpServerView> {
    const server = this.#find(name);
    await server.refresh();
    return server.view();
  }

  #find(name: string): McpServer {
    const server = this.#servers.get(name);
    if (server) return server;
    throw new EdgeError('tool.not_found', {
      operation: 'find MCP server',
      subject: name.slice(0, 64),
      message: `no MCP server ${name.slice(0, 64)} is configured`,
      hint: `configured: ${[...this.#servers.keys()].join(', ') || 'none; see [[mcp.servers]]'}`,
    });
  }
}
