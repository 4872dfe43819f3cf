import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { hostProbe } from '../../adapters/host-load/process-probe.ts';
import { pinoLogger } from '../../adapters/logging/pino-logger.ts';
import { hasCentral } from '../../central-link/link-identity.ts';
import type { CellName, CellReport } from '../../contract/core.ts';
import type { ToCell } from '../cell/wire.ts';
import { cacheDirOf, socketPath } from '../paths.ts';
import { newStart, type Settings } from '../settings.ts';
import {
  type CarrierEvents,
  type CellCarrier,
  forkCell,
  type SpawnCell,
} from '../supervisor/cell-process.ts';
import { canMake, lockDataDir } from '../supervisor/data-lock.ts';
import { idleLink, isLinkIdle } from '../supervisor/idle-link.ts';
import { type Reloaded, Reloader } from '../supervisor/reloader.ts';
import { systemdNotifier, watchdogPeriodMs } from '../supervisor/sd-notify.ts';
import { Sidecar } from '../supervisor/sidecar.ts';
import { type Report, Supervisor } from '../supervisor/supervisor.ts';
import { CELL_FLAGS, processOf } from './cell-flags.ts';
import { makeCellHost } from './cell-host.ts';

export type Daemon = {
  /** Process ids of the cells, for people who want to see them survive. */
  readonly supervisor: Supervisor;
  readonly simPid: () => number | undefined;
  /** Reads the configuration again; never rejects. */
  reload(): Promise<Reloaded>;
  start(): Promise<readonly CellReport[]>;
  stop(): Promise<void>;
};

/** The simulated robot ends at once on a signal. After this time it is killed, milliseconds. */
const SIM_STOP_MS = 400;

/**
 * The whole daemon, ready to start; `read` is how the configuration is read again. Throws `host.data_dir_in_use`
 * when another one has the data.
 */
export function makeDaemon(settings: Settings, read: () => Settings = () => settings): Daemon {
  const { config, dataDir } = settings;
  // Cells inherit it: without the transpiler in memory each of them is half as large and up sooner.
  const compiled = join(cacheDirOf(process.env), 'node-compile');
  if (canMake(compiled)) process.env['NODE_COMPILE_CACHE'] ??= compiled;
  const clock = new SystemClock();
  const start = newStart(clock.now(), config.runs.auto_start);
  const held: { current: Settings } = { current: { ...settings, start } };
  const logger = pinoLogger(config.daemon.log_level, { robot: config.daemon.name });
  const lock = lockDataDir(dataDir, process.pid);
  mkdirSync(join(dataDir, 'run'), { recursive: true, mode: 0o700 });
  const notify = systemdNotifier(process.env, process.pid);
  const report: Report = (level, cell, message, facts) => logger.log(level, cell, message, facts);
  const spawn =
    config.daemon.cells === 'inline'
      ? inlineCell(held)
      : forkCell(
          fileURLToPath(new URL('../cell-main.ts', import.meta.url)),
          () => [JSON.stringify(held.current)],
          (name) => processOf(name, held.current.config),
        );
  const isIdle = () => isLinkIdle(held.current.config, hasCentral(held.current.config.link, dataDir));
  const end = () => void supervisor.renew(['link'], 'this robot has a key of its own now');
  const supervisor = new Supervisor({
    clock,
    spawn: (name, events) =>
      name === 'link' && isIdle() ? idleLink({ events, isIdle, end }) : spawn(name, events),
    probe: hostProbe(),
    notify,
    report,
    watchdogMs: watchdogPeriodMs(process.env, process.pid),
  });
  const sim = config.robot.source === 'sim' ? makeSim(settings, clock, logger.log) : undefined;
  const reloader = new Reloader({ supervisor, notify, report, clock, settings: held, read });
  return {
    supervisor,
    reload: () => reloader.reload(),
    simPid: () => sim?.pid,
    start() {
      sim?.start();
      return supervisor.start();
    },
    async stop() {
      reloader.stop();
      await supervisor.stop();
      await sim?.stop(SIM_STOP_MS);
      lock.release();
    },
  };
}

function makeSim(settings: Settings, clock: SystemClock, log: ReturnType<typeof pinoLogger>['log']): Sidecar {
  const { sim } = settings.config;
  const socket = socketPath(settings.dataDir, 'sim.sock');
  rmSync(socket, { force: true });
  return new Sidecar({
    name: 'sim',
    clock,
    command: process.execPath,
    args: [
      ...CELL_FLAGS,
      fileURLToPath(new URL('../../sim/host.ts', import.meta.url)),
      ...[
        '--socket',
        socket,
        '--seed',
        String(sim.seed),
        '--width',
        String(sim.width),
        '--height',
        String(sim.height),
      ],
      ...paceOf(sim),
      ...(sim.world === 'arm' ? ['--world', 'arm', '--camera-hz', String(sim.camera_rate)] : []),
    ],
    report: (level, message, facts) => log(level, 'sim', message, facts),
  });
}

/** Controllers and inference keep the clock's time, so an arm does too; a maze may run as fast as it goes. */
function paceOf({ world, pace, speed }: Settings['config']['sim']): string[] {
  if (world === 'maze') return ['--pace', pace, '--speed', speed];
  return ['--pace', 'realtime', '--speed', speed === 'max' ? '1' : speed];
}

/**
 * Cells in this very process: for small hosts and tests. A crash of one is then a crash of all. Messages are
 * copied as between processes, so that no cell ever holds what another one changes.
 */
function inlineCell(held: { readonly current: Settings }): SpawnCell {
  return (name: CellName, events: CarrierEvents): CellCarrier => {
    const later = (original: Parameters<CarrierEvents['onMessage']>[0]) => {
      const message = structuredClone(original);
      queueMicrotask(() => {
        events.onMessage(message);
        if (message.t === 'stopped') events.onExit('stopped');
      });
    };
    const host = makeCellHost(name, held.current, later);
    later({ t: 'booted' });
    return {
      pid: process.pid,
      post: (original: ToCell) => {
        const message = structuredClone(original);
        queueMicrotask(() => void host.receive(message));
      },
      kill: () => void host.stop('killed'),
    };
  };
}
