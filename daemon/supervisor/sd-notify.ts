import { spawn } from 'node:child_process';
import type { Notifier } from './supervisor.ts';

/**
 * Notifies systemd through its own `systemd-notify` (Node has no datagram unix sockets). Silent where there is
 * no NOTIFY_SOCKET. The unit sets `NotifyAccess=all`, since the notifying process is a child of the daemon.
 */
export function systemdNotifier(env: Readonly<Record<string, string | undefined>>, pid: number): Notifier {
  const socket = env['NOTIFY_SOCKET'];
  if (!socket) return { ready() {}, status() {}, reloading() {}, watchdog() {}, stopping() {} };
  const tell = (...fields: string[]) => {
    const child = spawn('systemd-notify', [`--pid=${pid}`, ...fields], { stdio: 'ignore' });
    // Without the tool the unit's start times out and says so; the robot keeps working.
    child.on('error', () => {});
  };
  return {
    ready: (status) => tell('--ready', `--status=${status}`),
    status: (text) => tell(`--status=${text}`),
    // Microseconds of CLOCK_MONOTONIC: systemd distinguishes reloads by them.
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    watchdog: () => tell('WATCHDOG=1'),
    stopping: () => tell('STOPPING=1'),
  };
}

/** Half of systemd's watchdog time in milliseconds; 0 when this process has no watchdog. */
export function watchdogPeriodMs(env: Readonly<Record<string, string | undefined>>, pid: number): number {
  const usec = Number(env['WATCHDOG_USEC']);
  const forPid = env['WATCHDOG_PID'];
  if (!Number.isFinite(usec) || usec <= 0) return 0;
  if (forPid !== undefined && Number(forPid) !== pid) return 0;
  return usec / 1000 / 2;
}
