import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { type RobotMcpPorts, robotOffer } from '../../../../adapters/mcp/server/index.ts';
import { mcpSession } from '../../../../adapters/mcp/server/mcp-session.ts';
import { EdgeError } from '../../../../contract/index.ts';
import type { VirtualDaemon } from './daemon.ts';
import { CALLER, type VirtualRuntime } from './runtime.ts';

/** Of each life of the runtime cell. */
const sessions = new WeakMap<VirtualRuntime, Promise<Client>>();

/** A client of this robot as an MCP server; the session is the real one, its transport is in memory. */
export function mcpClientOf(daemon: VirtualDaemon, runtime: VirtualRuntime): Promise<Client> {
  const known = sessions.get(runtime);
  if (known) return known;
  const opening = open(daemon, runtime);
  sessions.set(runtime, opening);
  return opening;
}

async function open(daemon: VirtualDaemon, { cell, ids }: VirtualRuntime): Promise<Client> {
  const away = (operation: string) => new EdgeError('cell.unavailable', { operation, subject: 'the trial' });
  const ports: RobotMcpPorts = {
    ...{ robot: 'r1', version: '1', clock: daemon.api.process, ids, runtime: cell },
    who: { ...CALLER, origin: 'mcp' },
    bus: { request: (_to, method) => Promise.reject(away(method)) },
    houseTools: () => [],
    wholeAnswer: () => Promise.reject(away('answer')),
    openReader: () => {
      throw away('read');
    },
    stopRobot: () => Promise.reject(away('stop')),
    // Intents are judged where they are accepted; of the other tools none is called here.
    judge: () => Promise.reject(away('judge')),
    report: () => {},
  };
  const sdk = await import('@modelcontextprotocol/server');
  const server = mcpSession({
    ...{ sdk, clock: ports.clock, offer: robotOffer(ports), closing: () => false, modern: false },
  });
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'somebody', version: '1' });
  await Promise.all([server.connect(near), client.connect(far)]);
  return client;
}
