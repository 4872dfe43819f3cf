import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CellName,
  type Clock,
  type ConfigChange,
  EdgeError,
  type ErrorBody,
  type Timer,
  TOPICS,
} from '../../contract/core.ts';
import type { ConfigTrialEnd } from '../../contract/ports/config.ts';
import { endTrial, openTrial } from '../config/trial.ts';
import type { Settings } from '../settings.ts';
import { planReload, type ReloadPlan } from './reload-plan.ts';
import type { Notifier, Report, Supervisor } from './supervisor.ts';

/** A former configuration that could not be written is tried again after this time, milliseconds. */
const PUT_BACK_AGAIN_MS = 10_000;

/** What came of reading the configuration again; `run/reload.json` holds the last one. */
export type Reloaded =
  | ({ readonly ok: true; readonly number: number; readonly failed: readonly CellName[] } & ReloadPlan)
  | { readonly ok: false; readonly number: number; readonly error: ErrorBody };

export type ReloaderParts = {
  readonly supervisor: Pick<Supervisor, 'renew' | 'tell' | 'summary'>;
  readonly notify: Notifier;
  readonly report: Report;
  readonly clock: Clock;
  /** What the cells were started with. The reloader sets what they are started with from now on. */
  readonly settings: { current: Settings };
  /** Throws where the configuration cannot be read or has faults: nothing changes then. */
  read(): Settings;
};

/**
 * Reads the configuration again and lets it count with as little disturbance as can be: sections that running cells
 * take are sent to them, other cells restart one after the other, what only a new daemon can take is said. One
 * reload at a time; one that is asked for meanwhile follows. A configuration on trial (`daemon/config/trial.ts`) that is
 * not kept in time, or with which a cell does not come up, is ended here: the former one comes back.
 */
export class Reloader {
  readonly #parts: ReloaderParts;
  #last: Promise<unknown> = Promise.resolve();
  #number = 0;
  #trial: Timer | undefined;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
  }

  /** Never rejects. */
  reload(): Promise<Reloaded> {
    const done = this.#last.then(() => this.#once());
    this.#last = done.then((told) => this.#watchTrial(told));
    return done;
  }

  /** The daemon ends: the next start finds the trial. */
  stop(): void {
    this.#trial?.cancel();
  }

  #watchTrial(told: Reloaded): void {
    const { clock, settings } = this.#parts;
    this.#trial?.cancel();
    const trial = openTrial(settings.current.dataDir);
    if (!trial) return;
    if (!told.ok) this.#putBack(trial.id, `the daemon did not take it: ${told.error.message}`);
    else if (told.failed.length > 0)
      this.#putBack(trial.id, `with it these cells did not come up: ${told.failed.join(', ')}`);
    else {
      const leftMs = Math.max(0, trial.endsAtMs - clock.monotonicMs());
      this.#trial = clock.after(leftMs, () => this.#putBack(trial.id, 'it was not kept in time'));
    }
  }

  #putBack(id: string, why: string): void {
    const { report, settings } = this.#parts;
    const reason = why.slice(0, 512);
    let end: ConfigTrialEnd | undefined;
    try {
      end = endTrial(settings.current.dataDir, id, { outcome: 'put_back', reason });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'put back', 'configuration').toBody();
      report('error', 'daemon', 'the former configuration could not be put back', { error, reason });
      // A disk may have room again.
      this.#trial = this.#parts.clock.after(PUT_BACK_AGAIN_MS, () => this.#putBack(id, why));
      return;
    }
    if (!end) return;
    report('warn', 'daemon', `the trial of a configuration ended: ${end.outcome}`, { ...end });
    if (end.outcome === 'put_back') void this.reload();
  }

  async #once(): Promise<Reloaded> {
    const { notify, report, supervisor, settings } = this.#parts;
    const number = ++this.#number;
    notify.reloading();
    let told: Reloaded;
    try {
      const before = settings.current;
      const after = this.#parts.read();
      const plan = planReload(before.config, after.config);
      // The frame stays as it is: a cell that starts must find the data where the others have it.
      const config = { ...after.config, daemon: before.config.daemon, sim: before.config.sim };
      const { robot } = config;
      const kept = { ...config, robot: { ...robot, source: before.config.robot.source } };
      settings.current = { ...before, config: kept };
      const change: ConfigChange = { sections: plan.changed, config: kept };
      supervisor.tell(TOPICS.configChanged, change);
      const reports = await supervisor.renew(plan.restart, 'the configuration changed');
      const failed = reports.filter(({ state }) => state !== 'up').map(({ name }) => name);
      told = { ok: true, number, failed, ...plan };
      report('info', 'daemon', 'the configuration was reloaded', { ...plan, failed });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'reload', 'configuration').toBody();
      told = { ok: false, number, error };
      report('error', 'daemon', 'the new configuration was rejected; the previous one stays in force', {
        error,
      });
    }
    this.#write(told);
    notify.ready(supervisor.summary());
    return told;
  }

  /** Whole or not there: `auraison reload` waits for it. A full disk does not prevent a reload. */
  #write(told: Reloaded): void {
    const path = join(this.#parts.settings.current.dataDir, 'run', 'reload.json');
    try {
      writeFileSync(`${path}.tmp`, JSON.stringify(told));
      renameSync(`${path}.tmp`, path);
    } catch (thrown) {
      this.#parts.report('warn', 'daemon', 'the result of the reload could not be logged', {
        error: String(thrown),
      });
    }
  }
}
