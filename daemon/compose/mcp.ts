import { openEventReader } from '../../adapters/event-log/index.ts';
import type { McpServerConfig, McpServers } from '../../adapters/mcp/index.ts';
import type { McpEndpoint, RobotMcpPorts } from '../../adapters/mcp/server/index.ts';
import type { Sandboxes } from '../../adapters/sandbox/index.ts';
import {
  type CellContext,
  mcpCaller,
  type PolicyContext,
  type PolicyHook,
  stopRobot,
} from '../../contract/core.ts';
import type { McpServerRow } from '../config/mcp.ts';
import type { HttpPorts } from '../http/http-ports.ts';
import type { ApprovalDesk } from '../runtime/governance/approval-desk.ts';
import { motionFactsOf } from '../runtime/law/motion-law.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';
import { sandboxed } from './sandboxes.ts';

/** Foreign MCP servers as tools; undefined where none is configured: then nothing of it is loaded. */
export async function makeMcpServers(
  { config, dataDir }: Settings,
  context: CellContext,
  sandboxes: Sandboxes,
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
    configs: config.mcp.servers.map((row) => serverConfig(row, dataDir, process.env, sandboxes)),
    report: context.report,
    degraded: (error) => emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]),
    recovered: (subject) => emit([{ kind: 'cell.recovered', payload: { subject } }]),
  });
}

type Env = Readonly<Record<string, string | undefined>>;

/** A row of the configuration with its environment; secrets are read when they are used, and may be replaced. */
export function serverConfig(
  row: McpServerRow,
  dataDir: string,
  env: Env,
  sandboxes: Sandboxes,
): McpServerConfig {
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
      : { command: commandOf(row, dataDir, env, sandboxes) }),
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

function commandOf(
  { command, args, env, folder, sandbox }: McpServerRow,
  dataDir: string,
  all: Env,
  sandboxes: Sandboxes,
): NonNullable<McpServerConfig['command']> {
  const plain = { file: command, args, env: environment(env, all) };
  const held = sandboxed(sandboxes, sandbox, { ...plain, ...(folder === '' ? {} : { folder }) });
  return { ...plain, folder: folder || dataDir, ...(held === undefined ? {} : { sandboxed: held }) };
}

/** Only what is named: the daemon's own token and credentials stay with the daemon. */
export function environment(names: readonly string[], env: Env): Record<string, string> {
  const given: Record<string, string> = {};
  for (const one of names) {
    const at = one.indexOf('=');
    const name = at < 0 ? one : one.slice(0, at);
    const value = at < 0 ? env[name] : one.slice(at + 1);
    if (value !== undefined) given[name] = value;
  }
  return given;
}

export type RobotMcp = {
  readonly handle: NonNullable<HttpPorts['mcp']>;
  close(): Promise<void>;
};

/** This robot as an MCP server; undefined where the configuration says so. Loads nothing before its first request. */
export function makeRobotMcp(
  { config, dataDir }: Settings,
  { clock, bus, emit, report }: CellContext,
  parts: Pick<RobotMcpPorts, 'runtime' | 'houseTools' | 'wholeAnswer' | 'ids'> & {
    readonly hooks: readonly PolicyHook[];
    readonly approvals?: Pick<ApprovalDesk, 'approvals' | 'hold'>;
  },
): RobotMcp | undefined {
  if (!config.mcp.serve) return undefined;
  const { hooks, approvals, ...rest } = parts;
  const gate = new PolicyGate(hooks, clock);
  const portsOf = (who: PolicyContext): RobotMcpPorts => ({
    ...rest,
    approvals,
    robot: config.daemon.name,
    version: VERSION,
    clock,
    bus,
    who,
    openReader: () => openEventReader(dataDir, 'runtime'),
    async stopRobot(reason) {
      await stopRobot({ bus, runtime: parts.runtime, clock }, reason, who.principal);
    },
    async judge(tool, args, signal, waits, effect) {
      const facts = { ...args, ...motionFactsOf(tool, args) };
      const question = { point: 'tool', subject: tool, context: who, facts, about: { effect } } as const;
      const { refusal, approval, events } = await gate.ask(question);
      if (approval && approvals) {
        await approvals.hold({ ...question, terms: approval, events }, signal, waits);
        // Much may have changed while a person thought: policies, grants, quotas.
        const again = await gate.ask(question);
        await emit(again.events);
        if (again.refusal && !again.approval) throw again.refusal;
        return;
      }
      await emit(events);
      if (refusal) throw refusal;
    },
    report,
  });
  const open = async (who: PolicyContext) => {
    const mcp = await import('../../adapters/mcp/server/index.ts');
    return new mcp.McpEndpoint(clock, mcp.robotOffer(portsOf(who)), (message, facts) =>
      report('error', message, facts),
    );
  };
  // One for each token and its roles: no client finds the session of another one, or of roles that it no longer has.
  const opened = new Map<string, Promise<McpEndpoint>>();
  return {
    async handle(request, response, body, caller) {
      const who = mcpCaller(caller, config.mcp.roles);
      const key = endpointKey(who);
      const endpoint = opened.get(key) ?? open(who);
      opened.set(key, endpoint);
      await (await endpoint).handle(request, response, body);
    },
    close: async () => {
      await Promise.all([...opened.values()].map(async (one) => await (await one).close()));
    },
  };
}

/** Callers with the same key share an endpoint, which judges all of them alike. */
export function endpointKey({ tenant, principal, roles }: PolicyContext): string {
  return JSON.stringify([tenant, principal, [...new Set(roles)].sort()]);
}
