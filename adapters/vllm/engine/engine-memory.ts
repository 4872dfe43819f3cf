import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { EngineView } from '../../../contract/core.ts';

export type FreeMemory = Pick<EngineView['memory'], 'kind' | 'freeBytes'>;

/** A driver that hangs does not keep an engine waiting, milliseconds. */
const ASK_MS = 5_000;
const MIB = 1024 * 1024;

/**
 * Memory that a model could be loaded into: of the graphics processor with most of it free, by its own tool; on a host
 * without one, that of the host. Never rejects.
 */
export async function freeMemory(program = 'nvidia-smi', meminfo = '/proc/meminfo'): Promise<FreeMemory> {
  const gpu = await ofGpu(program);
  if (gpu !== undefined) return { kind: 'gpu', freeBytes: gpu };
  const host = await ofHost(meminfo);
  return host === undefined ? { kind: 'unknown', freeBytes: undefined } : { kind: 'host', freeBytes: host };
}

function ofGpu(program: string): Promise<number | undefined> {
  const args = ['--query-gpu=memory.free', '--format=csv,noheader,nounits'];
  return new Promise((resolve) => {
    execFile(program, args, { timeout: ASK_MS, killSignal: 'SIGKILL' }, (error, stdout) => {
      if (error) return resolve(undefined);
      const mebibytes = stdout
        .split('\n')
        .map((line) => Number.parseInt(line, 10))
        .filter(Number.isFinite);
      resolve(mebibytes.length === 0 ? undefined : Math.max(...mebibytes) * MIB);
    });
  });
}

/** `MemAvailable`: what is available without swapping, by the kernel's own estimate. */
async function ofHost(meminfo: string): Promise<number | undefined> {
  const text = await readFile(meminfo, 'utf8').catch(() => '');
  const found = /^MemAvailable:\s+(\d+) kB$/m.exec(text);
  return found ? Number(found[1]) * 1024 : undefined;
}
