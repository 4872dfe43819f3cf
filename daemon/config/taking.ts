import {
  type Clock,
  CONFIG_LIMITS,
  type ConfigApi,
  type ConfigTaking,
  type ConfigTextCheck,
  type ConfigTrialEnd,
  EdgeError,
  type NewEvent,
} from '../../contract/core.ts';
import type { ConfigDraft } from '../../contract/ports/config.ts';
import { textOfDraft } from './draft.ts';
import {
  beginTrial,
  digestOf,
  endTrial,
  lastEnd,
  markTold,
  noTrial,
  openTrial,
  type Trial,
  textAt,
} from './trial.ts';

export type TakingParts = {
  /** Where the file is, or would be. */
  readonly file: string;
  readonly dataDir: string;
  readonly clock: Clock;
  /** Whether the configuration in force lets it be taken over the API. */
  allowed(): boolean;
  check(draft: ConfigDraft): Promise<ConfigTextCheck>;
  /** Has the daemon read its file again. Throws where it cannot be reached. */
  reload(): void;
  append(events: readonly NewEvent[]): Promise<unknown>;
  newId(): string;
};

/** Takes a configuration for a trial; the daemon itself ends one that is not kept in time (`supervisor/reloader.ts`). */
export class Taking implements Pick<ConfigApi, 'taking' | 'take' | 'settle'> {
  readonly #parts: TakingParts;
  #busy = false;
  #told: Promise<void> = Promise.resolve();

  constructor(parts: TakingParts) {
    this.#parts = parts;
  }

  taking(): ConfigTaking {
    const { dataDir, file } = this.#parts;
    const [trial, ended] = [openTrial(dataDir), lastEnd(dataDir)];
    const { told: _, ...last } = ended ?? { told: true };
    return {
      allowed: this.#parts.allowed(),
      reason: this.#parts.allowed()
        ? ''
        : `set api.take_config = true in ${file} on the robot, and reload it`,
      ...(trial ? { trial: this.#viewOf(trial) } : {}),
      ...(ended ? { last: last as ConfigTrialEnd } : {}),
    };
  }

  async take(draft: ConfigDraft, how: Parameters<ConfigApi['take']>[1]): ReturnType<ConfigApi['take']> {
    // Two who take at the same time: the second hears of the trial of the first.
    if (this.#busy) throw this.#refused('another configuration is being taken', 'look again in a moment');
    this.#busy = true;
    try {
      return await this.#take(draft, how);
    } finally {
      this.#busy = false;
    }
  }

  async settle(keep: boolean, by: string): Promise<ConfigTrialEnd> {
    const { dataDir } = this.#parts;
    const trial = openTrial(dataDir);
    const outcome = keep ? 'kept' : 'put_back';
    const end = trial && endTrial(dataDir, trial.id, { outcome, reason: `${by} asked for it` });
    if (!end) throw noTrial();
    await this.tell();
    if (end.outcome === 'put_back') this.#reloadSoon();
    return end;
  }

  /**
   * After a start of this cell. A trial may be open whose reload was never asked for, since the cell was killed before: the daemon
   * measures the time of a trial from its reload on.
   */
  resume(): void {
    if (openTrial(this.#parts.dataDir)) this.#reloadSoon();
    void this.tell();
  }

  /** Writes into the event log how the last trial ended, where that is not there yet. */
  async tell(): Promise<void> {
    this.#told = this.#told.then(() => this.#tell()).catch(() => {});
    await this.#told;
  }

  async #tell(): Promise<void> {
    const { dataDir, append } = this.#parts;
    const ended = lastEnd(dataDir);
    if (!ended || ended.told) return;
    const { told: _, ...end } = ended;
    const { outcome: state, by, reason } = end;
    await append([{ kind: 'config.trial', payload: { state, by, keys: listed(end.keys), reason } }]);
    markTold(dataDir, end);
  }

  async #take(draft: ConfigDraft, { seen, confirmMs, by }: Parameters<ConfigApi['take']>[1]) {
    const { file, dataDir, clock, append } = this.#parts;
    if (!this.#parts.allowed())
      throw this.#refused('this robot takes no configuration over the API', this.taking().reason);
    if (openTrial(dataDir))
      throw this.#refused('a configuration is on trial already', 'keep it or put it back first');
    const checked = await this.#parts.check(draft);
    const [fault] = checked.faults;
    if (fault)
      throw this.#refused(`${fault.key === '' ? 'the text' : fault.key}: expected ${fault.expected}`, CHECK);
    if (checked.differences.length === 0)
      throw this.#refused('it does not differ from what is in force', CHECK);
    const former = textAt(file);
    if (checked.seen !== seen || digestOf(former ?? '') !== seen)
      throw this.#refused(`${file} was changed since it was checked`, CHECK);
    const text = textOfDraft(former ?? '', draft);
    const keys = checked.differences.map(({ key }) => key);
    const trial: Trial = {
      ...{ id: this.#parts.newId(), file, former: former ?? null, taken: digestOf(text), by, keys },
      endsAtMs: clock.monotonicMs() + confirmMs,
    };
    beginTrial(dataDir, trial, text);
    // A log that cannot take it is no reason to leave the file unread.
    await append([
      {
        kind: 'config.trial',
        payload: { state: 'taken', by, keys: listed(keys), reason: file.slice(0, 512) },
      },
    ]).catch(() => {});
    this.#reloadSoon();
    return this.#viewOf(trial);
  }

  /** After the answer. A daemon that cannot be asked is gone: its next start ends the trial. */
  #reloadSoon(): void {
    this.#parts.clock.after(CONFIG_LIMITS.RELOAD_AFTER_MS, () => {
      try {
        this.#parts.reload();
      } catch {
        // This cell ends with its daemon.
      }
    });
  }

  #viewOf({ by, keys, endsAtMs }: Trial) {
    return { by, keys, ends_in_ms: Math.max(0, Math.round(endsAtMs - this.#parts.clock.monotonicMs())) };
  }

  #refused(message: string, hint: string): EdgeError {
    return new EdgeError('config.refused', {
      ...{ operation: 'take configuration', subject: this.#parts.file, message, hint },
    });
  }
}

const CHECK = 'check it again: POST /v1/config/check';
const listed = (keys: readonly string[]) =>
  keys.slice(0, CONFIG_LIMITS.EDITS_MAX).map((key) => key.slice(0, 128));
