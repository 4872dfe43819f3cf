import type { Status } from '../../cli/status-view.ts';
import type { AgentEvent, RunDetails, Submitted } from '../../contract/index.ts';
import { allEvents, type TestDaemon, until } from './daemon.ts';
import { simHostPid } from './processes.ts';

export type Victim = 'execution' | 'runtime' | 'memory' | 'link' | 'sim';
type CellStatus = Status['cells'][number];

/** What one kill did, as seen from outside. */
export type Kill = {
  readonly victim: Victim;
  readonly how: 'SIGKILL' | 'SIGSTOP';
  readonly upAgainMs: number;
  /** Longest silence of the cells that were not killed, since each of them is up, milliseconds. */
  readonly othersGapMaxMs: number;
};

/**
 * Kills parts of a daemon while a run is under way, and looks each time whether the others noticed. Every
 * answer of the API is remembered as a promise that has to hold at the end.
 */
export class Rampage {
  readonly kills: Kill[] = [];
  /** Events that readers were given, by their place: they are durable for good. */
  readonly promised = new Map<string, string>();
  /** Runs of intents that were accepted. */
  readonly accepted = new Set<string>();
  readonly #daemon: TestDaemon;

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  /** A run under way; one that is over is followed by another with the robot back in the maze. */
  async ensureRun(runId: string | undefined): Promise<string> {
    if (runId !== undefined && (await this.run(runId)).run.status === 'running') return runId;
    if (runId !== undefined) await this.kill('sim');
    const submitted = await this.submit();
    await until(
      async () => (await this.run(submitted)).run.status === 'running',
      'the run is under way',
      120_000,
    );
    return submitted;
  }

  async submit(): Promise<string> {
    const { run } = await patient(() =>
      this.#daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' }),
    );
    this.accepted.add(run.run_id);
    return run.run_id;
  }

  run(runId: string): Promise<RunDetails> {
    return patient(() => this.#daemon.api.get<RunDetails>(`/v1/runs/${runId}`));
  }

  /** Kills and waits until the victim is up again and all cells answer. */
  async kill(victim: Victim, how: Kill['how'] = 'SIGKILL'): Promise<Kill> {
    await this.#remember();
    const before = await this.#allUp();
    const pid = victim === 'sim' ? simHostPid(this.#daemon.child.pid)! : cell(before, victim).pid!;
    const begin = performance.now();
    process.kill(pid, how);
    const after = victim === 'sim' ? await this.#simBack(pid) : await this.#cellBack(victim, pid);
    const upAgainMs = performance.now() - begin;
    const others = after.cells.filter(({ name }) => name !== victim);
    for (const other of others) {
      const former = cell(before, other.name);
      if (other.pid !== former.pid || other.restarts !== former.restarts || other.state !== 'up')
        throw new Error(
          `killing ${victim} disturbed ${other.name}: ${JSON.stringify(former)} became ${JSON.stringify(other)}`,
        );
    }
    const othersGapMaxMs = Math.max(...others.map(({ beat_gap_max_ms }) => beat_gap_max_ms));
    const kill = { victim, how, upAgainMs, othersGapMaxMs };
    this.kills.push(kill);
    return kill;
  }

  /** Promises that do not hold: events that are gone or changed. */
  broken(events: readonly AgentEvent[]): string[] {
    const there = new Map(events.map((event) => [place(event), event.hash]));
    return [...this.promised].filter(([at, hash]) => there.get(at) !== hash).map(([at]) => at);
  }

  async #remember(): Promise<void> {
    for (const event of await patient(() => allEvents(this.#daemon.api)))
      this.promised.set(place(event), event.hash);
  }

  #allUp(): Promise<Status> {
    return until(
      async () => {
        const status = await this.#daemon.status();
        return status.cells.every(({ state }) => state === 'up') ? status : undefined;
      },
      'all cells are up',
      120_000,
    );
  }

  async #cellBack(victim: string, pid: number): Promise<Status> {
    return until(
      async () => {
        const status = await this.#daemon.status();
        const found = cell(status, victim);
        return found.state === 'up' && found.pid !== undefined && found.pid !== pid ? status : undefined;
      },
      `${victim} is up again`,
      120_000,
    );
  }

  async #simBack(pid: number): Promise<Status> {
    return until(
      async () => {
        const status = await this.#daemon.status();
        const now = simHostPid(this.#daemon.child.pid);
        return now !== undefined && now !== pid && status.robot.available && status.robot.source.connected
          ? status
          : undefined;
      },
      'the robot is back',
      120_000,
    );
  }
}

function place({ cell: name, seq }: AgentEvent): string {
  return `${name}/${seq}`;
}

function cell(status: Status, name: string): CellStatus {
  return status.cells.find((one) => one.name === name)!;
}

/** The API goes away with its cell, for a moment. */
function patient<T>(ask: () => Promise<T>): Promise<T> {
  return until(async () => [await ask()] as const, 'the API answers', 60_000).then(([value]) => value);
}
