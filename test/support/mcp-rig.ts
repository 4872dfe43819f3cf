import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type McpServerConfig, McpServers } from '../../adapters/mcp/index.ts';
import {
  checker,
  type EdgeError,
  type McpServerView,
  type Tool,
  type ToolAnswer,
} from '../../contract/index.ts';
import { uuid } from './tiny-log.ts';

const HOSTILE = join(import.meta.dirname, 'mcp-hostile-main.ts');

export function serverConfig(name: string, more: Partial<McpServerConfig> = {}): McpServerConfig {
  return {
    name,
    apps: ['app'],
    allow: ['*'],
    deny: ['secret'],
    rules: [],
    deadlineMs: 10_000,
    resultBytesMax: 65_536,
    trust: 'first_use',
    elicitation: 'refuse',
    idleMs: 0,
    ...more,
  };
}

export function hostile(way: string, more: Partial<McpServerConfig> = {}, file = ''): McpServerConfig {
  const args = [HOSTILE, way, ...(file === '' ? [] : [file])];
  return serverConfig(way, {
    command: { file: process.execPath, args, env: { PATH: process.env['PATH'] ?? '' } },
    ...more,
  });
}

/** Foreign servers as a runtime has them, without the rest of the daemon. */
export class McpRig {
  readonly servers: McpServers;
  readonly degraded: EdgeError[] = [];
  readonly recovered: string[] = [];
  readonly reports: { message: string; facts: Record<string, unknown> }[] = [];

  constructor(dataDir: string, configs: readonly McpServerConfig[]) {
    this.servers = new McpServers({
      clock: new SystemClock(),
      version: '0.0.1',
      dataDir,
      configs,
      report: (_level, message, facts) => void this.reports.push({ message, facts }),
      degraded: (error) => void this.degraded.push(error),
      recovered: (subject) => void this.recovered.push(subject),
    });
  }

  view(server: string): McpServerView {
    return this.servers.servers().find((one) => one.server === server)!;
  }

  states(server: string): Record<string, string> {
    return Object.fromEntries(this.view(server).tools.map(({ tool, state }) => [tool, state]));
  }

  tool(name: string, app = 'app'): Tool {
    const found = this.servers.tools(app).find(({ spec }) => spec.name === name);
    if (!found)
      throw new Error(`no tool ${name} among ${this.servers.tools(app).map(({ spec }) => spec.name)}`);
    return found;
  }

  /** As the tool box does: arguments checked, then the call, under a signal. */
  async call(
    name: string,
    args: Record<string, unknown> = {},
    signal = new AbortController().signal,
  ): Promise<ToolAnswer> {
    const tool = this.tool(name);
    checker(tool.spec.input).parse(args, name);
    const answer = await tool.run(args, {
      runId: uuid(1),
      callId: uuid(2),
      clock: new SystemClock(),
      signal,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      intent: {
        intent_id: uuid(3),
        type: 'app/go',
        params: {},
        policy_ctx: { tenant: 'lab', principal: 'ada', roles: [], origin: 'cli' },
        targets: [],
        priority: 5,
      },
    });
    return answer as ToolAnswer;
  }

  stop(): Promise<void> {
    return this.servers.stop();
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
