/** Texts of values are as in TOML, with secrets hidden. */
export type ConfigKeyView = {
  readonly key: string;
  readonly value: string;
  readonly source: 'file' | 'environment' | 'default';
  /** Of the file. */
  readonly line?: number;
  /** Of the environment; it wins over the file. */
  readonly variable?: string;
  readonly kind: string;
  readonly about: string;
  /** As the daemon would have it after a reload, where that differs from what is in force. */
  readonly pending?: string;
};

/** A row of a list of tables, as the file has it. */
export type ConfigRowView = {
  readonly name: string;
  readonly line?: number;
  readonly values: Readonly<Record<string, string>>;
};

/** The configuration that is in force, and where each value comes from. */
export type ConfigView = {
  /** Absent: no file, only defaults and the environment. */
  readonly file?: string;
  /** Why the file of now cannot be read or is refused; what is in force stays. */
  readonly file_fault?: string;
  readonly sections: readonly { readonly name: string; readonly keys: readonly ConfigKeyView[] }[];
  /** `pending`: the file of now has other rows than are in force. */
  readonly lists: readonly {
    readonly name: string;
    readonly pending: boolean;
    readonly rows: readonly ConfigRowView[];
  }[];
};

/** What is wrong with a text, where, and what is expected there. */
export type ConfigTextFault = {
  readonly line?: number;
  /** Empty: of the text as a whole. */
  readonly key: string;
  readonly value: string;
  readonly expected: string;
};

/** A value that would be another one. An absent side: it does not exist there. */
export type ConfigDifference = { readonly key: string; readonly before?: string; readonly after?: string };

export type ConfigTextCheck = {
  readonly ok: boolean;
  readonly faults: readonly ConfigTextFault[];
  /** More faults were found than are listed. */
  readonly more: boolean;
  readonly warnings: readonly string[];
  /** SHA-256 of the file that this was compared with: `take` wants it, so that no other change is overwritten. */
  readonly seen: string;
  /** Against what is in force; empty where there are faults. */
  readonly differences: readonly ConfigDifference[];
  /** What a reload would do: cells that restart, sections taken live, keys that wait for the next start. */
  readonly plan: {
    readonly restart: readonly string[];
    readonly live: readonly string[];
    readonly later: readonly string[];
  };
};

/** A whole text in place of the file, or single keys in the file as it is. */
export type ConfigDraft = { readonly text: string } | { readonly set: readonly ConfigEdit[] };

/** `key` is `section.key`; `value` as in TOML, in one line. Absent: the key is removed, its default counts. */
export type ConfigEdit = { readonly key: string; readonly value?: string };

/** A configuration that was taken and is not kept yet: without an answer in time the former one comes back. */
export type ConfigTrial = {
  readonly by: string;
  readonly keys: readonly string[];
  readonly ends_in_ms: number;
};

/** How the last trial ended. */
export type ConfigTrialEnd = {
  readonly by: string;
  readonly keys: readonly string[];
  readonly outcome: 'kept' | 'put_back';
  readonly reason: string;
};

/** Whether this robot takes a configuration over the API, and why not. */
export type ConfigTaking = {
  readonly allowed: boolean;
  readonly reason: string;
  readonly trial?: ConfigTrial;
  readonly last?: ConfigTrialEnd;
};

export type ConfigTake = {
  /** `seen` of the check. */
  readonly seen: string;
  /** How long the trial waits for an answer, milliseconds. */
  readonly confirmMs: number;
  readonly by: string;
};

/** The configuration as the API shows it, and takes it where the robot's file allows that. */
export interface ConfigApi {
  view(): Promise<ConfigView>;
  /**
   * Checks a draft with the environment of the daemon. Files that it names are looked for, never opened. Rejects with
   * `limit.exceeded` for a text above the limits. Keys that cannot be set one by one are faults.
   */
  check(draft: ConfigDraft): Promise<ConfigTextCheck>;
  taking(): ConfigTaking;
  /**
   * Writes the file and has the daemon read it again, soon after the answer. From then on the trial lasts: without
   * `settle` in time, or where a cell does not come up with it, the former file is put back and read. Rejects with
   * `config.refused` where it is not allowed, has faults, differs in nothing, the file is not the `seen` one, or a trial
   * lasts; with `config.unreadable` where the file cannot be written.
   */
  take(draft: ConfigDraft, how: ConfigTake): Promise<ConfigTrial>;
  /** Ends the trial: keeps what was taken, or puts the former file back. Rejects with `config.refused` without one. */
  settle(keep: boolean, by: string): Promise<ConfigTrialEnd>;
}
