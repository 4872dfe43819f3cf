import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ClockQuality } from '../../contract/core.ts';

/** A tool that hangs (a daemon that does not answer its socket) is abandoned after this, milliseconds. */
const TOOL_MS = 1_500;
/** Answers of these tools are a page; more is a mistake. */
const OUTPUT_BYTES_MAX = 64 * 1024;
/** TAI is ahead of UTC by some 37 s; PTP reports offsets of its own scale, which need no such correction. */
const PTP_SLAVE_STATES = new Set(['SLAVE', 'UNCALIBRATED']);

export type RunTool = (command: string, args: readonly string[]) => Promise<string>;

/** Runs a tool and gives its standard output; rejects when it is missing, fails, or is late. */
export const runTool: RunTool = (command, args) =>
  new Promise((resolve, reject) => {
    // To start a process only to learn that its program is missing costs 20 ms of a large process, each time.
    if (!isInstalled(command)) return reject(new Error(`${command} is not installed`));
    execFile(
      command,
      [...args],
      {
        timeout: TOOL_MS,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES_MAX,
        env: { ...process.env, LC_ALL: 'C' },
      },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    );
  });

function isInstalled(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * What the host says about its clock: PTP (`pmc`), then chrony (`chronyc tracking`), then systemd
 * (`timedatectl`), the first that reports a synchronised clock; else the best answer. Never
 * throws: a host that says nothing is `unknown` and not synchronised. Takes 4.5 s when every tool hangs.
 */
export async function hostClockQuality(run: RunTool = runTool): Promise<ClockQuality> {
  let best: ClockQuality = { source: 'unknown', synchronised: false };
  for (const ask of [askPtp, askChrony, askSystemd]) {
    const told = await ask(run).catch(() => undefined);
    if (told?.synchronised) return told;
    if (told && best.source === 'unknown') best = told;
  }
  return best;
}

async function askPtp(run: RunTool): Promise<ClockQuality | undefined> {
  return readPmc(await run('pmc', ['-u', '-b', '0', 'GET PORT_DATA_SET', 'GET CURRENT_DATA_SET']));
}

async function askChrony(run: RunTool): Promise<ClockQuality | undefined> {
  return readChrony(await run('chronyc', ['-c', 'tracking']));
}

async function askSystemd(run: RunTool): Promise<ClockQuality | undefined> {
  return readTimedatectl(await run('timedatectl', ['show', '-p', 'NTP', '-p', 'NTPSynchronized']));
}

/**
 * `chronyc -c tracking`: reference id, name, stratum, time, system time offset in seconds (positive: ahead of
 * the reference), …, leap status. Stratum 0 or "Not synchronised" is a clock without a reference.
 */
export function readChrony(text: string): ClockQuality | undefined {
  const fields = text.trim().split(',');
  if (fields.length < 14) return undefined;
  const offset = Number(fields[4]);
  if (fields[4] === '' || !Number.isFinite(offset)) return undefined;
  const synchronised = Number(fields[2]) > 0 && !/not synchronised/i.test(fields[13]!);
  const source = /^(GPS|PPS|NMEA|SHM)/i.test(fields[1]!)
    ? 'gps'
    : /^(PTP|PHC)/i.test(fields[1]!)
      ? 'ptp'
      : 'ntp';
  return { source, synchronised, ...(synchronised ? { offset_ns: Math.round(offset * 1e9) } : {}) };
}

/** `timedatectl show`: systemd knows whether, but not how far off. */
export function readTimedatectl(text: string): ClockQuality | undefined {
  const values = new Map(text.split('\n').map((line) => line.split('=', 2) as [string, string | undefined]));
  const synchronised = values.get('NTPSynchronized');
  if (synchronised === undefined) return undefined;
  const follows = synchronised === 'yes';
  return { source: follows || values.get('NTP') === 'yes' ? 'ntp' : 'system', synchronised: follows };
}

/** `pmc … GET PORT_DATA_SET`, `GET CURRENT_DATA_SET`: port states, and `offsetFromMaster` in nanoseconds. */
export function readPmc(text: string): ClockQuality | undefined {
  const states = [...text.matchAll(/portState\s+(\w+)/g)].map(([, state]) => state!);
  if (states.length === 0) return undefined;
  const synchronised = states.includes('SLAVE');
  const [, offset] = /offsetFromMaster\s+(-?[\d.]+(?:e[+-]?\d+)?)/i.exec(text) ?? [];
  if (!states.some((state) => PTP_SLAVE_STATES.has(state))) return undefined;
  return {
    source: 'ptp',
    synchronised,
    ...(synchronised && offset !== undefined ? { offset_ns: Math.round(Number(offset)) } : {}),
  };
}
