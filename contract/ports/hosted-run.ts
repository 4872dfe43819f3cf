type Json = Readonly<Record<string, unknown>>;

/** A message of a person to a run. */
export type HostedSaid = {
  readonly message_id: string;
  readonly kind: 'steer' | 'follow_up';
  readonly text: string;
};

/** How a tool call ended; as `result` in contract/RUNTIME.md. */
export type CallAnswer = {
  readonly ok?: boolean;
  readonly result?: Json;
  readonly error?: Json;
  readonly images?: readonly { readonly mime: string; readonly base64: string }[];
};

/** How a hosted run ended; as `finish` in contract/RUNTIME.md. */
export type HostedOutcome = {
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly reason: string;
  readonly summary?: Json;
};

/**
 * A run as a runtime has it: what contract/RUNTIME.md gives an agent. `Run` of clients/typescript is one. When the run
 * is over, `signal` aborts and every method rejects or throws.
 */
export type HostedRun = {
  readonly id: string;
  readonly attempt: number;
  /** `{name, description, input, effect}` each; other tools do not exist for the run. */
  readonly tools: readonly Json[];
  readonly instructions: string;
  /** Where the run was before it was interrupted. */
  readonly resume: { readonly phase: string; readonly facts: Json } | undefined;
  /** `{call, tool, args, answer?}` each, since the phase was entered, oldest first. */
  readonly calls: readonly Json[];
  readonly callsLeftOut: number;
  readonly intent: string;
  readonly params: Json;
  /** The task in words. */
  readonly text: string;
  readonly messages: readonly HostedSaid[];
  readonly signal: AbortSignal;
  onMessage: (said: HostedSaid) => void;
  /** Calls a tool through the gate of the daemon; an answer that is not `ok` is no rejection. */
  ask(tool: string, args: Json, id: string): Promise<CallAnswer>;
  /** Ends a call; its answer still comes. */
  cancel(id: string): void;
  /** Enters a phase; settles when it is durable. */
  phase(phase: string, reason: string, facts?: Json): Promise<void>;
  /** Writes an entry into the log of the run; settles when it is durable. */
  note(id: string, entry: Json): Promise<void>;
  /** Text for people who look on; not kept. */
  say(text: string, channel?: 'text' | 'thought'): void;
};
