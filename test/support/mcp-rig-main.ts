/** A process with one foreign server that forked; says their pids and waits to be killed. */
import { hostile, McpRig } from './mcp-rig.ts';

const rig = new McpRig(process.argv[2]!, [hostile('forks')]);
await rig.servers.refresh('forks');
const { result } = await rig.call('mcp.forks.go');
const { pid, child } = JSON.parse(String(result['text'])) as { pid: number; child: number };
process.stdout.write(`${JSON.stringify([pid, child])}\n`);
setInterval(() => {}, 1_000);
