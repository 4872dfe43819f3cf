/** Our MCP client as the conformance suite starts it: connects, lists, calls what there is. The last argument is the URL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McpRig, serverConfig } from './mcp-rig.ts';

type Context = { client_id?: string; client_secret?: string };

const url = process.argv.at(-1)!;
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Context;
const { client_id: id, client_secret: secret } = context;
const client = id !== undefined && secret !== undefined ? { client: { id, secret: () => secret } } : {};
const dir = mkdtempSync(join(tmpdir(), 'mcp-conformance-'));
const rig = new McpRig(dir, [serverConfig('peer', { http: { url, ...client }, elicitation: 'defaults' })]);
try {
  await rig.servers.refresh('peer');
  for (const { spec } of rig.servers.tools('app')) {
    await rig.call(spec.name, spec.name.endsWith('add_numbers') ? { a: 5, b: 3 } : {});
  }
} finally {
  await rig.stop();
  rmSync(dir, { recursive: true, force: true });
}
