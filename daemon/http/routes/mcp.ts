import type { FastifyInstance } from 'fastify';
import { EdgeError, LIMITS, type McpServers, withDeadline } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const ServerParams = Type.Object({ server: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' }) }, closed);
const AllowBody = Type.Object(
  {
    tool: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'as its server names it; absent: all that wait or changed',
      }),
    ),
  },
  closed,
);
const NoBody = Type.Object({}, closed);
const ToolView = Type.Object(
  {
    tool: Type.String({ description: 'as its server names it' }),
    name: Type.Optional(Type.String({ description: 'as agents name it; absent where it is refused' })),
    state: Type.Enum(['offered', 'denied', 'refused', 'waiting', 'changed']),
    reason: Type.String(),
    effect: Type.Enum(['read', 'write', 'actuate']),
    sha256: Type.String(),
  },
  closed,
);
const ServerView = Type.Object(
  {
    server: Type.String(),
    kind: Type.Enum(['stdio', 'http']),
    state: Type.Enum(['idle', 'starting', 'up', 'failed']),
    reason: Type.String(),
    version: Type.String(),
    pid: Type.Optional(Type.Integer()),
    restarts: Type.Integer(),
    apps: Type.Array(Type.String()),
    tools: Type.Array(ToolView),
  },
  closed,
);
const ServersView = Type.Object({ servers: Type.Array(ServerView) }, closed);

/** Foreign MCP servers, and this robot as one. */
export function mcpRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const describe = (operationId: string, summary: string, more: object) => ({
    schema: { operationId, summary, tags: ['mcp'], ...more },
  });
  const settle = <T>(work: Promise<T>, subject: string) =>
    withDeadline(ports.clock, LIMITS.API_REQUEST_MS, work, 'mcp', subject);

  const { mcp } = ports;
  if (mcp) {
    app.route({
      method: ['GET', 'POST', 'DELETE'],
      url: '/mcp',
      // Follows another protocol: not part of the API document.
      schema: { hide: true },
      // Some clients declare JSON where there is no body.
      onRequest: async ({ method, raw }) => {
        if (method !== 'POST') delete raw.headers['content-type'];
      },
      handler: async (request, reply) => {
        const caller = callerOf(request);
        reply.hijack();
        await mcp(request.raw, reply.raw, request.body, caller);
      },
    });
  }

  app.get(
    '/v1/mcp/servers',
    describe('listMcpServers', 'MCP servers that agents may use, their tools, and why some are not offered', {
      querystring: NoQuery,
      response: { 200: ServersView, ...errors },
    }),
    async () => ({ servers: ports.mcpServers?.servers() ?? [] }),
  );

  app.post(
    '/v1/mcp/servers/:server/allow',
    describe('allowMcpTools', 'Take what an MCP server says of its tools as it is now', {
      params: ServerParams,
      body: AllowBody,
      response: { 200: ServerView, ...errors },
    }),
    async (request) => {
      const { server } = request.params as Static<typeof ServerParams>;
      const { tool } = request.body as Static<typeof AllowBody>;
      return settle(serversOf(ports).allow(server, tool), server);
    },
  );

  app.post(
    '/v1/mcp/servers/:server/refresh',
    describe('refreshMcpServer', 'Start an MCP server and ask it for its tools again', {
      params: ServerParams,
      body: NoBody,
      response: { 200: ServerView, ...errors },
    }),
    async (request) => {
      const { server } = request.params as Static<typeof ServerParams>;
      return settle(serversOf(ports).refresh(server), server);
    },
  );
}

function serversOf({ mcpServers }: HttpPorts): McpServers {
  if (mcpServers) return mcpServers;
  throw new EdgeError('tool.not_found', {
    operation: 'find MCP server',
    subject: 'mcp.servers',
    message: 'no MCP server is configured',
    hint: 'see [[mcp.servers]] in docs/mcp.md',
  });
}
