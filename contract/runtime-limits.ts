/** Limits of foreign runtimes; `contract/RUNTIME.md` says what each is for. */
export const RUNTIME_LIMITS = {
  /** Foreign runtimes that may be accepted; each has one connection. */
  RUNTIMES_MAX: 64,
  /** One frame of a foreign runtime, in both directions, bytes. An image of a camera fits as base64. */
  FRAME_BYTES_MAX: 1024 * 1024,
  /** Messages and bytes that one side of a session may have sent without acknowledgement. */
  WINDOW_MESSAGES: 256,
  WINDOW_BYTES: 4 * 1024 * 1024,
  /** What the daemon holds for a runtime that acknowledges nothing; beyond it the session ends. */
  OUTBOX_MESSAGES_MAX: 512,
  OUTBOX_BYTES_MAX: 8 * 1024 * 1024,
  /** Messages and bytes of one runtime within a second; beyond it the connection is closed. */
  FLOOD_MESSAGES: 2_000,
  FLOOD_BYTES: 16 * 1024 * 1024,
  /** Messages about runs that the runtime does not have; beyond it its session ends. */
  STRIKES_MAX: 100,
  /** A connection that has not sent its `hello` by then is closed, milliseconds. */
  HELLO_MS: 5_000,
  /** A runtime that has not answered a `spawn` by then does not execute the run, milliseconds. */
  SPAWN_MS: 10_000,
  /** Concurrent calls of one run; more are answered with `cell.overloaded`. */
  CALLS_AT_ONCE: 16,
  /** Calls in one phase of a run: as many as the log is searched for after a restart. */
  CALLS_PER_PHASE: 256,
  /** Refused calls in a row; then the run fails. */
  REFUSED_MAX: 20,
  /** Batches of events of one run that are not written yet; more are refused. */
  BATCHES_WAITING_MAX: 16,
  /** Characters of one piece of a stream, and of what is shown of it. */
  STREAM_CHARS_MAX: 16_384,
  STREAM_SHOWN_CHARS: 4_096,
} as const;
