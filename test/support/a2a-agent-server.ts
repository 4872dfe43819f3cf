import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { type AgentScript, MemoryA2aAgent } from './a2a-agent.ts';
import type { TestDaemon } from './daemon.ts';

/** Asks for one drive, and ends as that did. */
export const driveOnce: AgentScript = ({ data }) => {
  const [result] = (data['tool_results'] ?? []) as { ok: boolean; error?: { message: string } }[];
  if (result) return { end: result.ok ? 'completed' : 'failed', text: result.error?.message ?? 'driven' };
  const args = { kind: 'drive', distance_m: 0.3 };
  return { calls: [{ id: 'drive', name: 'robot.maneuver', args }] };
};

/** A scripted agent behind HTTP. */
export async function listenA2a(script: AgentScript) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const agent = new MemoryA2aAgent(script, {
    supportedInterfaces: [
      { url: `${url}/a2a`, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' },
    ],
  });
  const answerTo = async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const piece of request) body += String(piece);
    const init = request.method === 'GET' ? {} : { method: 'POST', body };
    const answer = await agent.fetch(`${url}${request.url}`, init);
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    for await (const piece of answer.body ?? []) response.write(piece);
    response.end();
  };
  // The library throws in the middle of a stream, for example where the task has ended meanwhile.
  server.on('request', (request, response) => {
    answerTo(request, response).catch(() => response.destroy());
  });
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, agent, stop };
}

/** This robot as an agent, and an agent as a runtime of it to which the daemon starts the bridge. */
export const a2aToml = (runtime: string, url: string) =>
  `[a2a]\nserve = true\n[[runtimes.accept]]\nname = "${runtime}"\na2a = "${url}"\n`;

/** Sends a message that names a skill; settles when its task is there. */
export async function sendA2a({ settings }: TestDaemon, skill: string): Promise<void> {
  const { url, token } = endpointOf(settings, '/a2a');
  const message = { messageId: skill, role: 'ROLE_USER', parts: [{ data: { skill } }] };
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'a2a-version': '1.0', 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'SendMessage' },
      params: { message, configuration: { returnImmediately: true } },
    }),
  });
  const { result, error } = (await response.json()) as { result?: unknown; error?: { message: string } };
  if (!result) throw new Error(error?.message ?? `HTTP ${response.status}`);
}

/** The same by the HTTP+JSON binding. */
export async function sendA2aOverHttp({ settings }: TestDaemon, skill: string): Promise<void> {
  const { url, token } = endpointOf(settings, '/a2a/http/message:send');
  const message = { messageId: `http ${skill}`, role: 'ROLE_USER', parts: [{ data: { skill } }] };
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/a2a+json' },
    body: JSON.stringify({ message, configuration: { returnImmediately: true } }),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
}
