/** Limits of a configuration that is checked and taken over the API. */
export const CONFIG_LIMITS = {
  /** Characters, lines, and faults that are looked up. */
  TEXT_CHARS_MAX: 65_536,
  TEXT_LINES_MAX: 5_000,
  TEXT_FAULTS_MAX: 50,
  /** Until all files that it names are looked for, milliseconds. */
  LOOK_MS: 2_000,
  /** Keys that are set at once, and characters of the text of one value. */
  EDITS_MAX: 50,
  VALUE_CHARS_MAX: 4_096,
  /** A configuration on trial waits this long for an answer unless asked otherwise; least and most, milliseconds. */
  CONFIRM_MS: 60_000,
  CONFIRM_MS_MIN: 10_000,
  CONFIRM_MS_MAX: 600_000,
  /** The daemon reads a taken file this long after the answer, milliseconds: the cell that answers may start again. */
  RELOAD_AFTER_MS: 200,
} as const;
