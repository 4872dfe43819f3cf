import { type ChildProcess, fork } from 'node:child_process';
import type { CellName } from '../../contract/index.ts';
import type { FromCell, ToCell } from '../cell/wire.ts';

/** A running carrier of a cell, wherever it runs. `post` may fail silently when the cell is gone. */
export type CellCarrier = {
  readonly pid: number | undefined;
  /** Nothing works there: it has no heart that could stop. Absent: it beats. */
  readonly isIdle?: boolean;
  post(message: ToCell): void;
  /** Ends it without asking. */
  kill(): void;
};

export type CarrierEvents = {
  onMessage(message: FromCell): void;
  /** Called once. */
  onExit(reason: string): void;
};

export type SpawnCell = (name: CellName, events: CarrierEvents) => CellCarrier;

export type CellProcess = {
  /** Flags of Node. */
  readonly flags: readonly string[];
  /** Writable memory that the process may have; absent: no limit by the daemon. */
  readonly dataBytesMax?: number;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
};

/** The shell sets the limit and becomes Node: the process id stays the same. A host that refuses runs without it. */
const LIMITED = 'ulimit -d "$0" 2>/dev/null; exec "$@"';

/** Forks `entry` for a cell, with the arguments and flags of that moment. Messages travel by structured clone, so bigint and typed arrays survive. */
export function forkCell(
  entry: string,
  args: () => readonly string[],
  processOf: (name: CellName) => CellProcess,
): SpawnCell {
  return (name, events) => {
    const { flags, dataBytesMax, env } = processOf(name);
    const child: ChildProcess = fork(entry, [name, ...args()], {
      serialization: 'advanced',
      ...(env ? { env: { ...process.env, ...env } } : {}),
      ...(dataBytesMax === undefined
        ? { execArgv: [...flags] }
        : {
            execPath: '/bin/sh',
            execArgv: ['-c', LIMITED, String(Math.floor(dataBytesMax / 1024)), process.execPath, ...flags],
          }),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    let gone = false;
    const exit = (reason: string) => {
      if (gone) return;
      gone = true;
      events.onExit(reason);
    };
    child.on('message', (message) => events.onMessage(message as FromCell));
    child.on('error', (error) => exit(`could not start: ${error.message}`));
    child.on('exit', (code, signal) => exit(signal === null ? `exit code ${code}` : `signal ${signal}`));
    return {
      get pid() {
        return child.pid;
      },
      post: (message) => {
        // A cell that died between two messages is noticed by its exit, not here.
        if (child.connected) child.send(message, () => {});
      },
      kill: () => {
        child.kill('SIGKILL');
      },
    };
  };
}
