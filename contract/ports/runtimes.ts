/** A connection of a foreign runtime, as the server that listens hands it over. Nothing of it throws. */
export interface RuntimeLink {
  /** Where it comes from, for people: address and port. */
  readonly peer: string;
  /** Sends one text frame. What the network has not taken is bounded by the window of the session. */
  send(text: string): void;
  /** Closes with a code of `RUNTIME_CLOSE`; may be called twice. */
  close(code: number, reason: string): void;
  /** Set once, before anything arrives. */
  onText(take: (text: string) => void): void;
  /** Each listener once, also after `close`. */
  onClose(closed: () => void): void;
}

/** What one run does in a runtime, as people look at it. */
export type RuntimeRunView = {
  readonly run_id: string;
  readonly app: string;
  readonly agent: string;
  readonly state: 'waiting' | 'spawning' | 'working';
  readonly calls: number;
  /** Calls in progress. */
  readonly open_calls: number;
  /** The last characters that its agent said. */
  readonly said: string;
};

/** The program of a runtime that this daemon starts itself and keeps running. */
export type RuntimeProgram = {
  /** What is started, for people. */
  readonly what: string;
  /** `waiting`: it ended and is started again after a pause. */
  readonly state: 'running' | 'waiting' | 'stopped';
  readonly pid?: number;
  readonly starts: number;
  /** Why it ended last; empty: it did not. */
  readonly why: string;
  /** Profile of `[[sandboxes]]`; empty or `none`: without one. */
  readonly sandbox: string;
};

/** One configured runtime. */
export type RuntimeView = {
  readonly name: string;
  /** `lost`: its connection is gone and its session is kept for a while. */
  readonly state: 'connected' | 'lost' | 'absent';
  readonly peer: string;
  readonly version: string;
  readonly language: string;
  readonly agents: readonly string[];
  readonly session: string;
  /** Connections since the daemon started, and those that continued a session. */
  readonly connections: number;
  readonly resumed: number;
  /** Messages that were not of the contract, or about runs that it does not have. */
  readonly refused: number;
  /** Why the last connection ended; empty: none did. */
  readonly reason: string;
  /** Not acknowledged by it: messages and bytes. */
  readonly waiting_messages: number;
  readonly waiting_bytes: number;
  readonly runs: readonly RuntimeRunView[];
  /** Absent: it is started elsewhere, and dials in. */
  readonly program?: RuntimeProgram;
};

/** Foreign runtimes that may dial in. */
export interface RuntimesApi {
  /** The configured names with their tokens. */
  identities(): readonly { readonly name: string; readonly token: string }[];
  /** Takes a connection whose token was checked. */
  connect(name: string, link: RuntimeLink): void;
  runtimes(): readonly RuntimeView[];
  /** Ends session and connection; its runs continue as their applications say. Throws `runtime.not_found`. */
  disconnect(name: string, reason: string): RuntimeView;
}
