/** Limits of sandboxes; `docs/sandboxes.md` says what each is for. */
export const SANDBOX_LIMITS = {
  /** Profiles of one configuration. */
  PROFILES_MAX: 32,
  /** Files, places in the network and secrets of one profile, each. */
  ENTRIES_MAX: 64,
  /** Connections through one place in the network at once; more are closed. */
  DOOR_CONNECTIONS_MAX: 64,
  /** A place that does not answer by then is not reached, milliseconds. */
  DOOR_CONNECT_MS: 10_000,
  /** Files that one process may have open. */
  OPEN_FILES_MAX: 1_024,
  /** The trial of a provider ends after this, milliseconds. */
  PROBE_MS: 15_000,
  /** Output of a trial that is kept for its report, characters. */
  PROBE_TEXT_MAX: 300,
  /** Processes that are left when the sandbox ended have gone by then, milliseconds. */
  RELEASE_MS: 5_000,
} as const;
