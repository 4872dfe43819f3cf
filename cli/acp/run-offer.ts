import {
  type AcpParts,
  type Offered,
  type OfferedTool,
  type RunTools,
  SERVER,
} from '../../adapters/acp/index.ts';
import { type McpOffer, openRunDoor, type RobotTool } from '../../adapters/mcp/server/index.ts';
import {
  ACP_LIMITS,
  type Clock,
  EdgeError,
  type ErrorBody,
  type ToolAnswer,
  type ToolImage,
} from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';

/** Longer than any deadline that the daemon gives a call: the daemon ends it, and says why. */
const CALL_MS = 24 * 3_600_000;

export type OfferParts = {
  readonly clock: Clock;
  readonly version: string;
  /** A program that carries MCP from standard input to the address of AURAISON_URL, for agents without HTTP. */
  readonly bridge: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Hears the token of the server, which nothing may print. */
  readonly secret: (token: string) => void;
  readonly report: AcpParts['report'];
};

/** Puts the tools of a run behind an MCP server of this host, with a token that only its agent gets. */
export async function offerRun(tools: RunTools, parts: OfferParts): Promise<Offered> {
  const { clock, version, bridge, env, secret, report } = parts;
  const offer: McpOffer = {
    ...{ name: SERVER, version, resources: [], templates: [] },
    instructions: 'The tools of a robot. Every call is judged by its policies; a refusal says why.',
    tools: () => tools.list().map((tool) => robotTool(tool, tools, clock)),
    read: (uri) => Promise.reject(new EdgeError('api.not_found', { operation: 'read', subject: uri })),
    judge: async () => {},
  };
  const door = await openRunDoor(clock, offer, (message, facts) => report('warn', message, facts));
  secret(door.token);
  return {
    server: (http) => {
      const authorization = `Bearer ${door.token}`;
      if (http)
        return {
          ...{ type: 'http', name: SERVER, url: `${door.url}/mcp` },
          headers: [{ name: 'Authorization', value: authorization }],
        };
      const [command, ...args] = bridge;
      const all = { ...env, AURAISON_URL: door.url, AURAISON_TOKEN: door.token };
      return {
        ...{ name: SERVER, command, args },
        env: Object.entries(all).map(([name, value]) => ({ name, value })),
      };
    },
    close: () => door.close(),
  };
}

function robotTool(
  { name, tool, description, input, effect }: OfferedTool,
  tools: RunTools,
  clock: Clock,
): RobotTool {
  return {
    ...{ name, subject: tool, title: tool, description, input: input as unknown as TSchema },
    ...{ readOnly: effect === 'read', destructive: effect === 'actuate' },
    ...{ judged: false, checkedElsewhere: true, deadlineMs: CALL_MS },
    run: async (args, call): Promise<ToolAnswer> => {
      const alive = clock.every(ACP_LIMITS.PROGRESS_MS, () => call.progress('the robot is at it'));
      try {
        const { ok, result = {}, error, images = [] } = await tools.call(name, args, call.signal);
        if (ok !== true) throw EdgeError.fromBody(error as unknown as ErrorBody);
        return {
          result,
          images: images.map(({ mime, base64 }) => ({
            mime: mime as ToolImage['mime'],
            data: Buffer.from(base64, 'base64'),
          })),
        };
      } finally {
        alive.cancel();
      }
    },
  };
}
