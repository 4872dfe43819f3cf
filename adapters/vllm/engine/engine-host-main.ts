import { type ChildProcess, spawn } from 'node:child_process';
import { SystemClock } from '../../clock/system-clock.ts';
import type { HostNews, HostOrder } from './engine-messages.ts';

/**
 * A small process between the daemon and its engine. The engine and all that it starts are one process group; when the
 * cell that asked for it is gone, however it died, the group is ended, so that no orphaned engine keeps the memory of a
 * graphics processor.
 */
const LINE_MAX = 2_000;
/** Lines of the engine's log that are passed on per second; the rest is dropped. */
const LINES_MAX = 200;
const clock = new SystemClock();
let child: ChildProcess | undefined;
let stopMs = 10_000;
let ending = false;
let told = 0;
let hushed = 0;

const tell = (news: HostNews) => {
  if (process.connected) process.send?.(news, () => {});
};

function signal(name: NodeJS.Signals): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    // It is over.
  }
}

function start({ argv, env }: Extract<HostOrder, { kind: 'start' }>): void {
  const [program = '', ...args] = argv;
  child = spawn(program, args, { env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) tell({ kind: 'started', pid: child.pid });
  for (const stream of [child.stdout, child.stderr]) follow(stream!);
  child.once('error', (error) => end(`it cannot be started: ${error.message}`));
  child.once('exit', (code, name) => end(name ? `it was ended by ${name}` : `it ended with code ${code}`));
}

function follow(stream: NodeJS.ReadableStream): void {
  let rest = '';
  stream.on('data', (data: Buffer) => {
    const lines = (rest + data.toString('utf8')).split(/\r?\n|\r/);
    rest = (lines.pop() ?? '').slice(-LINE_MAX);
    for (const line of lines) {
      if (line.trim() === '') continue;
      if (++told > LINES_MAX) hushed += 1;
      else tell({ kind: 'line', text: line.slice(0, LINE_MAX) });
    }
  });
  stream.on('error', () => {});
}

/** The main process is gone: its children are ended with it. */
function end(reason: string): void {
  signal('SIGKILL');
  tell({ kind: 'exit', reason });
  clock.after(50, () => process.exit(0));
}

function stop(): void {
  if (ending) return;
  ending = true;
  const over = !child || child.exitCode !== null || child.signalCode !== null;
  if (over) end('it was stopped');
  else {
    signal('SIGTERM');
    clock.after(stopMs, () => signal('SIGKILL'));
  }
}

clock.every(1_000, () => {
  if (hushed > 0) tell({ kind: 'line', text: `(${hushed} more lines)` });
  told = 0;
  hushed = 0;
});
process.on('message', (order: HostOrder) => {
  if (order.kind === 'stop') stop();
  else {
    stopMs = order.stopMs;
    start(order);
  }
});
// The cell that asked for it died, or closed the pipe.
process.on('disconnect', () => {
  stopMs = 1_000;
  stop();
});
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, stop);
