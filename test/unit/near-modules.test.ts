import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CELL_FLAGS, ZENOH_CELL_FLAGS } from '../../daemon/compose/cell-flags.ts';

/** Files of this project are found by their name alone; all other modules as Node finds them. */
const NEAR = pathToFileURL(join(import.meta.dirname, '..', '..', 'daemon', 'cell', 'near-modules.ts')).href;
const CORE = pathToFileURL(join(import.meta.dirname, '..', '..', 'contract', 'core.ts')).href;
const folder = mkdtempSync(join(tmpdir(), 'auraison-near-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(code: string): { readonly out: string; readonly error: string } {
  const file = join(folder, 'main.mjs');
  writeFileSync(file, code);
  const args = ['--disable-warning=ExperimentalWarning', `--import=${NEAR}`, file];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { out: stdout.trim(), error: stderr };
}

describe('modules of this project, found by their name', () => {
  it('are those of each cell', () => {
    for (const flags of [CELL_FLAGS, ZENOH_CELL_FLAGS]) expect(flags).toContain(`--import=${NEAR}`);
  });

  it('are the same modules as those that Node finds', () => {
    const { out, error } = run(`
      import { EdgeError } from '${CORE}';
      const same = await import('${new URL('edge-error.ts', CORE).href}');
      console.log(same.EdgeError === EdgeError);`);
    expect(error).toBe('');
    expect(out).toBe('true');
  });

  it('leave the modules of others to Node: a linked file is one module, whatever leads to it', () => {
    mkdirSync(join(folder, 'real'), { recursive: true });
    writeFileSync(join(folder, 'real', 'one.ts'), 'export const value: object = {};\n');
    symlinkSync(join(folder, 'real', 'one.ts'), join(folder, 'two.ts'));
    const { out, error } = run(`
      import { value } from './real/one.ts';
      import { value as again } from './two.ts';
      console.log(value === again);`);
    expect(error).toBe('');
    expect(out).toBe('true');
  });

  it('name the file that is missing', () => {
    const missing = new URL('no-such-file.ts', CORE).href;
    const { error } = run(`await import('${missing}').catch((fault) => console.error(fault.message));`);
    expect(error).toContain('no-such-file.ts');
  });
});
