import { existsSync } from 'node:fs';
import { EdgeError } from '../../contract/core.ts';
import { type RuntimeRow, startsItself } from '../../daemon/config/runtimes.ts';
import { readSecret } from '../../daemon/secrets.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';
import { isProgram } from './is-program.ts';

/** Foreign runtimes as configured: which of them the daemon starts, and whether their programs and secrets are there. */
export function checkRuntimes({ config }: Settings): Check {
  const name = 'runtimes';
  const { accept } = config.runtimes;
  if (accept.length === 0) return { name, state: 'ok', detail: 'no foreign runtime', fix: '' };
  const faults = accept.flatMap((row) => faultsOf(row).map((fault) => `${row.name}: ${fault}`));
  if (faults.length > 0)
    return {
      name,
      state: 'bad',
      detail: faults.join('; '),
      fix: 'fix [[runtimes.accept]], or install what it names',
    };
  return {
    name,
    state: 'ok',
    detail: accept.map((row) => `${row.name} ${wordsOf(row)}`).join('; '),
    fix: '',
  };
}

function wordsOf(row: RuntimeRow): string {
  if (!startsItself(row)) return 'dials in, and is started elsewhere';
  const what =
    row.a2a !== '' ? `A2A agent ${row.a2a}` : row.acp.length > 0 ? `ACP agent ${row.acp[0]}` : row.command[0];
  const held =
    row.sandbox === '' || row.sandbox === 'none' ? 'without a sandbox' : `in the sandbox ${row.sandbox}`;
  return `is started by the daemon (${what}, ${held})`;
}

function faultsOf(row: RuntimeRow): string[] {
  const faults: string[] = [];
  // In a sandbox the program may be one of an image.
  const held = row.sandbox !== '' && row.sandbox !== 'none';
  for (const file of [row.command[0], row.acp[0]])
    if (file !== undefined && !held && !isProgram(file)) faults.push(`${file} is not a program on the PATH`);
  if (row.folder !== '' && !existsSync(row.folder)) faults.push(`${row.folder} is not there`);
  for (const key of ['token_file', 'credential'] as const) {
    try {
      readSecret(row[key], key, process.env);
    } catch (error) {
      faults.push(EdgeError.from(error, 'config.unreadable', 'read', key).message);
    }
  }
  return faults;
}
