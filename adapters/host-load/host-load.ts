import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import type { PressureGauge } from '../../contract/core.ts';

/** Of this host, from the kernel: microseconds to read, nothing kept. */
type Sources = {
  /** Text of a file under /proc; throws where it does not exist. */
  readonly readText: (path: string) => string;
  readonly load: () => number;
  readonly cores: number;
};

const HOST: Sources = {
  readText: (path) => readFileSync(path, 'utf8'),
  load: () => loadavg()[0]!,
  cores: availableParallelism(),
};

/** Runnable and blocked tasks per core, averaged over a minute. Not available on Windows. */
export function cpuLoad(limit: number, { load, cores }: Sources = HOST): PressureGauge {
  return {
    name: 'load of the host',
    unit: 'tasks per core',
    limit,
    read: () => load() / Math.max(1, cores),
  };
}

/** Share of the last ten seconds in which some task waited for memory: swapping or reclaiming. Linux 4.20 or newer. */
export function memoryPressure(limit: number, { readText }: Sources = HOST): PressureGauge {
  return {
    name: 'memory pressure',
    unit: 'percent of the time',
    limit,
    read() {
      try {
        return someOf(readText('/proc/pressure/memory'));
      } catch {
        return undefined;
      }
    },
  };
}

/** `some avg10=1.23 avg60=…` of a pressure file; undefined where it says something else. */
export function someOf(text: string): number | undefined {
  const found = /^some avg10=(\d+(?:\.\d+)?)\b/m.exec(text);
  return found ? Number(found[1]) : undefined;
}
