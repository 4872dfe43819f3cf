import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** Loads a file in a process of its own and says which modules of MCP came with it. */
function loadedWith(file: string): string[] {
  const script = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ resolve(specifier, context, next) {
      if (specifier.includes('@modelcontextprotocol')) seen.push(specifier);
      return next(specifier, context);
    } });
    await import(${JSON.stringify(join(ROOT, file))});
    process.stdout.write(JSON.stringify(seen));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

it('nothing of the MCP SDK is loaded before a server is started or a client comes', () => {
  for (const file of [
    'daemon/compose/mcp.ts',
    'adapters/mcp/index.ts',
    'adapters/mcp/server/index.ts',
    'cli/commands/mcp.ts',
  ])
    expect(loadedWith(file), file).toEqual([]);
  // The measure itself works.
  expect(loadedWith('node_modules/@modelcontextprotocol/node/dist/index.mjs')).not.toEqual([]);
}, 120_000);
