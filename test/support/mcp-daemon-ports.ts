import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  McpEndpoint,
  type McpOffer,
  type RobotMcpPorts,
  robotOffer,
} from '../../adapters/mcp/server/index.ts';
import { EdgeError, IdSource, METHODS, type PolicyContext, type ToolAnswer } from '../../contract/index.ts';
import { type Rig, startRig, TinyRuntime, TOKEN } from './http-rig.ts';
import { TinyLog } from './tiny-log.ts';

const WHO: PolicyContext = { tenant: 'local', principal: 'mcp', roles: ['operator'], origin: 'mcp' };

export type McpServerRig = Rig & {
  readonly endpoint: McpEndpoint;
  readonly robot: TinyRuntime;
  /** What the policies were asked. */
  readonly judged: string[];
  readonly stopped: string[];
  close(): Promise<void>;
};

/** The API of a robot with `/mcp`, everything behind it in memory. A subject in `denied` is refused. */
export async function startMcpRig(
  options: { readonly denied?: readonly string[]; readonly offer?: McpOffer; readonly open?: boolean } = {},
): Promise<McpServerRig> {
  const judged: string[] = [];
  const stopped: string[] = [];
  const clock = new SystemClock();
  const runtime = new TinyRuntime();
  const log = new TinyLog('runtime');
  const ports: RobotMcpPorts = {
    robot: 'tb1',
    version: '0.0.1',
    clock,
    ids: new IdSource(
      () => 1_700_000_000_000,
      (length) => new Uint8Array(length).fill(7),
    ),
    runtime,
    bus: {
      request: async <T>(_to: string, method: string): Promise<T> => {
        if (method === METHODS.execution.robotState)
          return { time: 5n, pose: { x: 1, y: 2, yaw: 0 }, motion: 'idle', connected: true } as T;
        if (method === METHODS.memory.query)
          return { columns: [{ name: 'bag', type: 'VARCHAR' }], rows: [['b1']], truncated: false } as T;
        throw new EdgeError('cell.unavailable', { operation: method, subject: 'execution' });
      },
    },
    who: WHO,
    houseTools: () => [],
    wholeAnswer: async (answer) => answer as ToolAnswer,
    openReader: () => log.reader(),
    stopRobot: async (reason) => void stopped.push(reason),
    judge: async (tool, args) => {
      judged.push(`${tool} ${JSON.stringify(args)}`);
      if (options.denied?.includes(tool))
        throw new EdgeError('policy.denied', { operation: 'policy-tool', subject: tool });
    },
    report: () => {},
  };
  const endpoint = new McpEndpoint(clock, options.offer ?? robotOffer(ports), () => {});
  const auth = options.open ? ({ kind: 'none' } as const) : ({ kind: 'token', token: TOKEN } as const);
  const rig = await startRig({ auth }, { mcp: endpoint.handle });
  return {
    ...rig,
    endpoint,
    robot: runtime,
    judged,
    stopped,
    async close() {
      await endpoint.close();
      await rig.stop();
    },
  };
}
