import { join } from 'node:path';

/** Where this person's files are. */
export type Places = {
  readonly home: string;
  /** XDG_CONFIG_HOME, or what stands for it on this system. */
  readonly config: string;
  /** The folder that somebody works in. */
  readonly folder: string;
  readonly platform: NodeJS.Platform;
};

/** A program that starts MCP servers, and the file in which it keeps them. */
export type McpClient = {
  readonly name: string;
  readonly title: string;
  /** The key of the file under which the servers stand. */
  readonly key: 'mcpServers' | 'servers';
  /** Its file for all folders of this person; absent: only the client itself writes it. */
  file?(places: Places): string;
  /** Its file for one folder; absent: the client has no such file. */
  projectFile?(places: Places): string;
  /** What a person does next. */
  readonly next: string;
};

const userData = ({ home, config, platform }: Places): string =>
  platform === 'darwin' ? join(home, 'Library', 'Application Support') : config;

/** As their documentation has it (November 2026). */
export const MCP_CLIENTS: readonly McpClient[] = [
  {
    ...{ name: 'claude', title: 'Claude Code', key: 'mcpServers' },
    projectFile: ({ folder }) => join(folder, '.mcp.json'),
    next: 'start claude in this folder and allow the server; /mcp shows it',
  },
  {
    ...{ name: 'claude-desktop', title: 'Claude Desktop', key: 'mcpServers' },
    file: (places) => join(userData(places), 'Claude', 'claude_desktop_config.json'),
    next: 'start Claude Desktop again',
  },
  {
    ...{ name: 'cursor', title: 'Cursor', key: 'mcpServers' },
    file: ({ home }) => join(home, '.cursor', 'mcp.json'),
    projectFile: ({ folder }) => join(folder, '.cursor', 'mcp.json'),
    next: 'Cursor Settings, MCP: switch the server on',
  },
  {
    ...{ name: 'vscode', title: 'Visual Studio Code', key: 'servers' },
    file: (places) => join(userData(places), 'Code', 'User', 'mcp.json'),
    projectFile: ({ folder }) => join(folder, '.vscode', 'mcp.json'),
    next: 'run "MCP: List Servers" in the command palette and start the server',
  },
  {
    ...{ name: 'gemini', title: 'Gemini CLI', key: 'mcpServers' },
    file: ({ home }) => join(home, '.gemini', 'settings.json'),
    projectFile: ({ folder }) => join(folder, '.gemini', 'settings.json'),
    next: 'start gemini again; /mcp shows the server',
  },
  {
    ...{ name: 'windsurf', title: 'Windsurf', key: 'mcpServers' },
    file: ({ home }) => join(home, '.codeium', 'windsurf', 'mcp_config.json'),
    next: 'Windsurf Settings, Cascade: refresh the servers',
  },
];
