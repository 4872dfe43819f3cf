import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, withDeadline } from '../../../contract/core.ts';
import type { HostNews, HostOrder } from './engine-messages.ts';

const HOST = new URL('./engine-host-main.ts', import.meta.url);
/** Beyond the time of the engine itself, milliseconds. */
const SPARE_MS = 3_000;

export type EngineProcessParts = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stopMs: number;
  /** Where the process is noted, so that one whose host was killed too is found at the next start. */
  readonly noteFile: string;
  readonly clock: Clock;
  /** Output of the engine, and faults of its note. */
  readonly onLine: (line: string) => void;
};

/** One life of an engine, in a process group behind a host of its own. */
export class EngineProcess {
  readonly #parts: EngineProcessParts;
  readonly #host: ChildProcess;
  readonly ended: Promise<string>;
  #pid: number | undefined;

  constructor(parts: EngineProcessParts) {
    this.#parts = parts;
    sweepNoted(parts.noteFile);
    this.#host = fork(HOST, [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
    let reason = 'its host died';
    this.ended = new Promise((resolve) => {
      this.#host.on('message', (news: HostNews) => {
        if (news.kind === 'started') this.#note(news.pid);
        else if (news.kind === 'line') parts.onLine(news.text);
        else reason = news.reason;
      });
      this.#host.once('error', (error) => {
        reason = `its host cannot be started: ${error.message}`;
        this.#over();
        resolve(reason);
      });
      this.#host.once('exit', () => {
        // A host that was killed has left its engine behind.
        this.#kill();
        this.#over();
        resolve(reason);
      });
    });
    this.#tell({ kind: 'start', argv: parts.argv, env: parts.env, stopMs: parts.stopMs });
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  /** SIGTERM, then SIGKILL; settles when all of it is gone. */
  async stop(): Promise<void> {
    this.#tell({ kind: 'stop' });
    const { clock, stopMs } = this.#parts;
    try {
      await withDeadline(clock, stopMs + SPARE_MS, this.ended, 'stop', 'engine');
    } catch {
      this.#kill();
      this.#host.kill('SIGKILL');
    }
  }

  #tell(order: HostOrder): void {
    if (this.#host.connected) this.#host.send(order, () => {});
  }

  #kill(): void {
    if (this.#pid !== undefined) killGroup(this.#pid);
  }

  #note(pid: number): void {
    this.#pid = pid;
    const { noteFile } = this.#parts;
    this.#attempt('its process cannot be noted, and is not found when its host is killed too', () => {
      mkdirSync(dirname(noteFile), { recursive: true, mode: 0o700 });
      writeFileSync(noteFile, JSON.stringify({ pid, started: startOf(pid) }));
    });
  }

  #over(): void {
    this.#attempt('the note of its process cannot be removed', () =>
      rmSync(this.#parts.noteFile, { force: true }),
    );
  }

  /** Without space the note is not written: an error thrown in this listener would end the cell with all its runs. */
  #attempt(what: string, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#parts.onLine(`(${what}: ${(thrown as Error).message})`);
    }
  }
}

/** Ends an engine that outlived its host. Another process that has its number by now is left alone. */
export function sweepNoted(noteFile: string): boolean {
  let noted: { readonly pid?: unknown; readonly started?: unknown };
  try {
    noted = JSON.parse(readFileSync(noteFile, 'utf8')) as typeof noted;
  } catch {
    return false;
  }
  try {
    rmSync(noteFile, { force: true });
  } catch {
    // The note may stay: another process has another start time.
  }
  const { pid, started } = noted;
  if (typeof pid !== 'number' || pid <= 1 || typeof started !== 'string' || started === '') return false;
  if (startOf(pid) !== started) return false;
  killGroup(pid);
  return true;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is over.
  }
}

/**
 * Start of a process in ticks since boot, which distinguishes processes with the same id. Empty where it is unknown.
 */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
