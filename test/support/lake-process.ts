import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { CellBus } from '../../contract/index.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import type { FromCell, ToCell } from '../../daemon/cell/wire.ts';
import { processOf } from '../../daemon/compose/cell-flags.ts';
import type { Settings } from '../../daemon/settings.ts';
import { forkCell } from '../../daemon/supervisor/cell-process.ts';

export type Meters = {
  readonly t: 'meters';
  /** The longest time for which its event loop did not turn, milliseconds. */
  readonly stallMs: number;
  readonly peakBytes: number;
  /** The number of the oldest statement that the engine does not end; 0: there is none. */
  readonly overdue: number;
};

export type LakeProcess = {
  /** The bus of a cell beside it. */
  readonly bus: CellBus;
  meters(): Promise<Meters>;
  /** Why it ended; empty while it runs. */
  exit(): string;
  stop(): Promise<void>;
};

/** The memory cell in a process, with the limits that the supervisor gives it. */
export async function startLakeProcess(): Promise<LakeProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lake-process-'));
  let exit = '';
  const ready = Promise.withResolvers<void>();
  const waiting: ((meters: Meters) => void)[] = [];
  const memory = processOf('memory', {} as Settings['config']);
  const main = join(import.meta.dirname, 'lake-cell-main.ts');
  const spawn = forkCell(
    main,
    () => [dataDir],
    () => memory,
  );
  const child = spawn('memory', {
    onMessage: (message: FromCell | Meters | { readonly t: 'ready' }) => {
      if (message.t === 'ready') ready.resolve();
      else if (message.t === 'meters') waiting.shift()?.(message);
      else if (message.t === 'response' || message.t === 'broadcast') void bus.receive(message);
    },
    onExit: (reason) => {
      exit = reason;
      ready.reject(new Error(reason));
    },
  });
  const bus = new MessageBus('runtime', new SystemClock(), (message) => child.post(message as ToCell));
  await ready.promise;
  return {
    bus,
    exit: () => exit,
    meters: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        child.post({ t: 'meters' } as unknown as ToCell);
      }),
    stop: async () => {
      child.kill();
      bus.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
