import { existsSync } from 'node:fs';
import { EdgeError } from '../../contract/core.ts';
import type { McpServerRow } from '../../daemon/config/mcp.ts';
import { readSecret } from '../../daemon/secrets.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';
import { isProgram } from './is-program.ts';

/** Foreign MCP servers as configured: whether their programs and secrets are there. Starts none of them. */
export function checkMcp({ config }: Settings): Check {
  const name = 'mcp';
  const { servers, serve } = config.mcp;
  const own = serve ? 'this robot answers at /mcp' : 'this robot is no MCP server';
  if (servers.length === 0) return { name, state: 'ok', detail: `no foreign server; ${own}`, fix: '' };
  const faults = servers.flatMap((row) => faultOf(row).map((fault) => `${row.name}: ${fault}`));
  const idle = servers.filter((row) => row.apps.length === 0).map((row) => row.name);
  if (faults.length > 0) {
    return {
      name,
      state: 'bad',
      detail: faults.join('; '),
      fix: 'fix [[mcp.servers]], or install what it names',
    };
  }
  const unused = idle.length === 0 ? '' : `; no application may use ${idle.join(', ')}`;
  return {
    name,
    state: 'ok',
    detail: `${servers.map((row) => row.name).join(', ')}${unused}; ${own}`,
    fix: '',
  };
}

function faultOf(row: McpServerRow): string[] {
  const faults: string[] = [];
  if (row.command !== '' && !isProgram(row.command))
    faults.push(`${row.command} is not a program on the PATH`);
  if (row.folder !== '' && !existsSync(row.folder)) faults.push(`${row.folder} is not there`);
  for (const key of ['token_file', 'oauth_secret_file'] as const) {
    try {
      readSecret(row[key], key, process.env);
    } catch (error) {
      faults.push(EdgeError.from(error, 'config.unreadable', 'read', key).message);
    }
  }
  return faults;
}
