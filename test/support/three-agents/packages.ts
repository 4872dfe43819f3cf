import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const AGENTS = ['stamper', 'clerk', 'walker'] as const;
export type Agent = (typeof AGENTS)[number];
/** What a run of each of them is to do, times. */
export const TIMES = 2;
/** One turn of the walker, radians. */
export const TURN_RAD = 1.2;

/** The server of each, and its tool. */
export const TOOLS: Readonly<Record<Agent, string>> = {
  stamper: 'ledger.stamp',
  clerk: 'files.note',
  walker: 'marks.mark',
};

/** What a server of an agent wrote down about one call, before it answered. */
export type Deed = { readonly traceparent: string; readonly pid: number };

export const deedsFile = (folder: string, agent: Agent) => join(folder, `${agent}.deeds`);

export function deedsOf(folder: string, agent: Agent): readonly Deed[] {
  try {
    const lines = readFileSync(deedsFile(folder, agent), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Deed);
  } catch {
    return [];
  }
}

/**
 * An MCP server over standard input and output: one tool, whose every call is a line of a file. It writes, and answers a
 * while later: a kill in between leaves a deed that nobody has heard of.
 */
const SERVER = `
import { appendFileSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const [file, name, times, next, finish] = process.argv.slice(2);
const answer = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
const tool = { name, description: 'Writes a line', inputSchema: { type: 'object', properties: {} } };
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize')
    answer(id, { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'deeds', version: '1.0.0' } });
  else if (method === 'tools/list') answer(id, { tools: [tool] });
  else if (method === 'tools/call') {
    appendFileSync(file, JSON.stringify({ traceparent: params._meta?.traceparent, pid: process.pid }) + '\\n');
    const done = readFileSync(file, 'utf8').split('\\n').length - 1;
    const text = done % Number(times) === 0 ? finish : next;
    setTimeout(() => answer(id, { content: [{ type: 'text', text }] }), 200);
  } else if (id !== undefined) answer(id, {});
});
`;

/** What an interrupted call says to a model that small, and a stop that it chose. */
const guide = (first: string) => `export default (pi) => {
  pi.on('tool_result', ({ content }) =>
    JSON.stringify(content).includes('Call ') ? undefined : { content: [{ type: 'text', text: ${JSON.stringify(first)} }] },
  );
};
`;

/** Three packages: two agents of Pi, one of a foreign runtime (`mind`), each with an MCP server of its own. */
export function writePackages(folder: string): void {
  for (const agent of AGENTS) {
    const [server, name] = TOOLS[agent].split('.') as [string, string];
    const isRemote = agent === 'walker';
    const first = isRemote ? 'Call turn.' : `Call mcp_${server}_${name}.`;
    const finish = `Call ${isRemote ? 'finish' : 'run_finish'} with status succeeded.`;
    const write = (path: string, text: string) => {
      mkdirSync(join(folder, 'apps', agent, path, '..'), { recursive: true });
      writeFileSync(join(folder, 'apps', agent, path), text);
    };
    const args = ['./server.mjs', deedsFile(folder, agent), name, `${TIMES}`, first, finish];
    write('AGENT.md', 'Do what the last message says: it names the tool to call next.\n');
    write('server.mjs', SERVER);
    if (!isRemote) write('extensions/guide.ts', guide(first));
    write(
      'app.toml',
      `name = "${agent}"
version = "0.1.0"
description = "An agent of files"
harness = "${isRemote ? 'remote' : 'pi'}"
tools = ["mcp.${server}.*", "${isRemote ? 'robot.maneuver' : 'run.finish'}"]
deadline = "20 min"
[[intents]]
type = "${agent}/go"
description = "Go"
prompt = "${first}"
[[mcp]]
name = "${server}"
command = "node"
args = ${JSON.stringify(args)}
${
  isRemote
    ? '[remote]\nruntime = "mind"\nwait = "5 min"\n'
    : '[model]\ntool_choice = "required"\ntemperature = 0.0\nmax_tokens = 64\n[budget]\nturns = 12\n'
}`,
    );
  }
}
