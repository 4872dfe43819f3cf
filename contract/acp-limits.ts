/** Limits of agents of the Agent Client Protocol; `adapters/acp` says what each is for. */
export const ACP_LIMITS = {
  /** One message of an agent, bytes; also what may wait unread at its input. */
  MESSAGE_BYTES_MAX: 8 * 1024 * 1024,
  /** Messages and bytes of one agent within a second; beyond it the agent is ended. */
  FLOOD_MESSAGES: 2_000,
  FLOOD_BYTES: 32 * 1024 * 1024,
  /** Lines that are not JSON-RPC, and answers to questions that were never asked; beyond it the agent is ended. */
  GARBAGE_MAX: 100,
  /** Questions of an agent that are not answered yet; more are refused. */
  QUESTIONS_MAX: 16,
  /** An agent that has not opened its session by then is ended, milliseconds. Stock agents start slowly. */
  OPEN_MS: 120_000,
  /** An agent that does nothing for so long in a turn is ended, milliseconds. An open tool call is not silence. */
  SILENCE_MS: 600_000,
  /** Time that an agent has to end its turn after a cancel, milliseconds. */
  CANCEL_MS: 3_000,
  /** Time that open tool calls have to end before a run is finished, milliseconds: the robot stops in it. */
  SETTLE_MS: 10_000,
  /** Time that a process has at each step of its end, milliseconds. */
  STOP_MS: 1_000,
  /** Calls after which another phase of the run is entered, as the contract of runtimes wants it. */
  CALLS_PER_PHASE: 200,
  /** Turns that one run has, further messages of people included. */
  TURNS_MAX: 256,
  /** Text of a turn that is kept, characters, and text that is streamed at once. */
  SAID_CHARS_MAX: 16_384,
  STREAM_MS: 250,
  /** Entries for the log that wait; more are counted and left out. */
  NOTES_WAITING_MAX: 64,
  /** Entries of one run; more are counted and left out. */
  NOTES_MAX: 2_000,
  /** Characters of an input or a title that are kept. */
  SHOWN_CHARS: 2_000,
  /** Characters of earlier calls that a prompt lists after a cut. */
  HISTORY_CHARS: 24_000,
  /** Characters of instructions, task and messages in one prompt. */
  PROMPT_CHARS: 64_000,
  /** How often an open call reports that it is still open, milliseconds: clients of MCP abandon silent ones. */
  PROGRESS_MS: 5_000,
} as const;
