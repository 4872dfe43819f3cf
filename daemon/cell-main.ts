/** Entry of a forked cell: `cell-main.ts <name> <settings as JSON>`. Everything else arrives as messages. */
import './no-telemetry.ts';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { CELL_NAMES, type CellName, LIMITS } from '../contract/core.ts';
import { forgetAllocator } from './cell/allocator.ts';
import { isTaken } from './cell/stray-errors.ts';
import type { ToCell } from './cell/wire.ts';
import { makeCellHost } from './compose/cell-host.ts';
import type { Settings } from './settings.ts';

const name = process.argv[2] as CellName;
if (!CELL_NAMES.includes(name) || !process.send || !process.argv[3]) {
  process.stderr.write('cell-main is started by the daemon, not by hand: auraison up\n');
  process.exit(2);
}
process.title = `auraison-${name}`;
forgetAllocator(process.env);
const clock = new SystemClock();
const settings = JSON.parse(process.argv[3]) as Settings;
const host = makeCellHost(name, settings, (message) => {
  if (process.connected) process.send!(message, undefined, {}, () => {});
  if (message.t === 'stopped') process.exit(0);
});

process.on('message', (message) => void host.receive(message as ToCell));
// The supervisor asks cells to stop in order; a terminal's Ctrl-C reaches all of them at once and is not that.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
// To read the configuration again is for the supervisor to do; a terminal that closes sends this to all of them.
process.on('SIGHUP', () => {});
// Without its supervisor a cell gets no orders: it stops the robot, flushes and goes.
process.on('disconnect', () => {
  clock.after(LIMITS.SHUTDOWN_MS, () => process.exit(1));
  void host.orphaned().finally(() => process.exit(1));
});
process.on('uncaughtException', (error, origin) => {
  if (isTaken(error, origin)) return;
  process.stderr.write(`${name}: ${error.stack ?? error.message}\n`);
  process.exit(70);
});
process.send({ t: 'booted' });
