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
  /** Against what is in force; empty where there are faults. */
  readonly differences: readonly ConfigDifference[];
  /** What a reload would do: cells that restart, sections taken live, keys that wait for the next start. */
  readonly plan: {
    readonly restart: readonly string[];
    readonly live: readonly string[];
    readonly later: readonly string[];
  };
};

/** The configuration as the API shows it. Nothing here changes it. */
export interface ConfigApi {
  view(): Promise<ConfigView>;
  /**
   * Checks a text in place of the file, with the environment of the daemon. Files that it names are looked for, never
   * opened. Rejects with `limit.exceeded` for a text above the limits.
   */
  check(text: string): Promise<ConfigTextCheck>;
}
