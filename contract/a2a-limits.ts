/** Limits of the Agent2Agent protocol; `adapters/a2a` says what each is for. */
export const A2A_LIMITS = {
  /** Streams of this robot's runs that clients have open at once; more are refused. So many of one principal, ... */
  STREAMS_MAX: 32,
  STREAMS_OF_ONE_MAX: 8,
  /** ... and so many are kept for operators of this robot. */
  STREAMS_KEPT: 8,
  /** How often a stream looks at its run, milliseconds. */
  LOOK_MS: 250,
  /** How long a request waits for the end of its run before it is answered with the run as it is, milliseconds. */
  BLOCKING_MS: 60_000,
  /** Tasks in one answer of a list. */
  LIST_MAX: 100,
  /** Characters of a message in words, and parts of a message that are looked at. */
  WORDS_MAX: 16_384,
  PARTS_MAX: 64,
  /** Bytes of one answer or one event of a remote agent. */
  ANSWER_BYTES_MAX: 8 * 1024 * 1024,
  /** Time that a remote agent has to answer a request that does not stream, milliseconds. */
  ANSWER_MS: 60_000,
  /** A task whose stream broke is looked at this often, milliseconds. */
  POLL_MS: 1_000,
  /** Looks in a row that may fail before the run does. */
  LOOKS_FAILED_MAX: 10,
  /** Turns in which an agent asks for tools; then the run fails. */
  TURNS_MAX: 1_000,
  /** Tools that an agent may ask for in one turn. */
  CALLS_PER_TURN: 16,
  /** Calls after which another phase of the run is entered, as the contract of runtimes wants it. */
  CALLS_PER_PHASE: 200,
  /** Time that open tool calls have to end before a run is finished, milliseconds: the robot stops in it. */
  SETTLE_MS: 10_000,
  /** Time that the cancel of a task has, milliseconds. */
  CANCEL_MS: 3_000,
  /** Characters of an answer that become the reason of a run, and bytes of its summary. */
  REASON_CHARS: 512,
  SUMMARY_BYTES: 48 * 1024,
  /** Characters of one message to an agent. */
  PROMPT_CHARS: 64_000,
} as const;

/** Limits of push notifications: states of tasks that this robot posts to its clients (docs/a2a.md). */
export const A2A_PUSH = {
  /** Configs of one task, of one principal, and of all; so many of all are kept for operators of this robot. */
  OF_TASK_MAX: 4,
  OF_ONE_MAX: 32,
  CONFIGS_MAX: 128,
  CONFIGS_KEPT: 16,
  /** Characters of a url, a token, credentials and the id of a config. */
  URL_CHARS: 2_048,
  TOKEN_CHARS: 1_024,
  CREDENTIALS_CHARS: 4_096,
  ID_CHARS: 128,
  /** States that wait for one config, and their bytes for all configs together. The last state of a task is not counted. */
  WAITING_MAX: 8,
  WAITING_BYTES_MAX: 1024 * 1024,
  /** How often tasks with a config are looked at, milliseconds. */
  LOOK_MS: 250,
  /** Time that a receiver has to answer, milliseconds. */
  ANSWER_MS: 10_000,
  /** The first wait after a failure, and the longest, milliseconds; each is twice the one before. */
  BACKOFF_MS: 1_000,
  BACKOFF_MAX_MS: 60_000,
  /** A state is tried so long, from its first try in this life of the cell, milliseconds. */
  DEADLINE_MS: 3_600_000,
  /** So long a config can be read after the last state of its task was delivered, milliseconds. */
  DONE_MS: 3_600_000,
} as const;
